/* What a data set is made of; for the files that index and read it. */
#ifndef IVL_DATA_DATASET_H
#define IVL_DATA_DATASET_H

#include "data/record.h"
#include "data/table.h"

enum { IVL_PART_IMAGE, IVL_PART_TEXT, IVL_PART_JSON, IVL_PART_MASK, IVL_PARTS };
enum { IVL_MAX_IMAGE = 1 << 29, IVL_MAX_TEXT = 1 << 20, IVL_MAX_JSON = 1 << 24, IVL_BAD_KEPT = 64 };

/* A shard, a folder, a list, a picture. */
typedef struct ivl_source {
    char *path;
    char *dir;         /* what item.file is relative to; NULL for shards */
    int   fd;          /* of a shard that stays open; -1: open it to read */
    bool  shard;
    ivl_table table;   /* holds the strings of its captions */
} ivl_source;

/* A caption that a list told; `next` continues the chain of its record, -1 ends it. */
typedef struct ivl_told { const char *text, *lang; int64_t next; } ivl_told;

typedef struct ivl_item {
    const char *key, *file, *group; /* file: NULL in shards */
    int64_t  off[IVL_PARTS];
    uint32_t bytes[IVL_PARTS];      /* of shards */
    int32_t  source;
    uint32_t has;                   /* bit per part */
    int64_t  told_first, told_last; /* -1: none */
} ivl_item;

struct ivl_dataset {
    ivl_source *source;
    ivl_item   *item;
    ivl_told   *told;
    int64_t *part_end;    /* records in the first i + 1 parts of the spec */
    int64_t n_parts, room_parts;
    int64_t n_sources, n_items, n_told, room_items, room_told, room_sources;
    char  **block;        /* of strings, each 1 MiB or one long string */
    int64_t n_blocks, room_blocks;
    size_t  block_left;
    char   *bad[IVL_BAD_KEPT];
    int64_t n_bad;
};

/* --- building --- */
const char *ivl_dataset_string(ivl_dataset *ds, const char *text, size_t n); /* NULL when out of memory */
ivl_status  ivl_dataset_add_source(ivl_dataset *ds, const char *path, ivl_source **s_p);
ivl_status  ivl_dataset_add_item(ivl_dataset *ds, const char *key, size_t key_n, ivl_item **item_p);
ivl_status  ivl_dataset_tell(ivl_dataset *ds, ivl_item *item, const char *text, const char *lang);
/* Counts an entry that is left out; keeps the first messages. */
void ivl_dataset_note(ivl_dataset *ds, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
ivl_status ivl_index_shard(ivl_dataset *ds, const char *path);
/* An open shard; the data set owns fd from here on. */
ivl_status ivl_index_shard_fd(ivl_dataset *ds, const char *path, int fd);
ivl_status ivl_index_folder(ivl_dataset *ds, const char *path);
ivl_status ivl_index_table(ivl_dataset *ds, const char *path);
ivl_status ivl_index_picture(ivl_dataset *ds, const char *path);

/* --- reading --- */
/* Bytes of one part, a 0 after them; *data_p is freed by the caller. */
ivl_status ivl_dataset_part(const ivl_dataset *ds, const ivl_item *item, int part, char **data_p,
                            size_t *n_p);
/* Fills all of rec but its image from what the parts and lists say (text, json: NULL or 0-terminated). */
ivl_status ivl_record_build(const ivl_dataset *ds, const ivl_item *item, const char *where, const char *text,
                            const char *json, size_t json_n, ivl_sample *rec);

#endif
