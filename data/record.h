/* Data sets of pictures with captions, any record at any time. What a spec may name, joined by "::":
 *   SHARD.tar           WebDataset shards in img2dataset's layout: KEY.jpg|jpeg|png|webp with KEY.txt and/or
 *                       KEY.json beside it. {00000..00012}, {a,b} and * ? [] expand. .tar.gz|zst|xz|bz2 are
 *                       unpacked to a temporary file once (4 GiB at most).
 *   FOLDER              shards, if it holds *.tar; else every picture in it and below, by sorted name, with
 *                       captions from NAME.txt or NAME.json beside it, or from captions.{txt,tsv,csv} or
 *                       metadata.csv at its top
 *   LIST.csv, LIST.tsv  columns path, caption and optionally lang, group (a header line may order them); a
 *                       path that stands in several rows is one record with several captions
 *   PICTURE.jpg|png|webp  itself
 * A .txt holds one caption a line. A .json is img2dataset's ("caption") or ours:
 *   {"concept": "...", "captions": [{"lang": "en", "text": "..."}, ...]}
 * and its captions go before those of a .txt. A record may have no caption. KEY.mask.png beside KEY.jpg is a
 * label map (8-bit gray, pixel = class); in a shard, KEY.001.jpg and so on right behind KEY's own members are
 * further frames. Neither is a record of its own. */
#ifndef IVL_DATA_RECORD_H
#define IVL_DATA_RECORD_H

#include <ivl/backend.h>

typedef struct ivl_dataset ivl_dataset;

typedef struct ivl_caption { const char *text, *lang; } ivl_caption; /* lang: NULL if it is not told */

typedef struct ivl_sample {
    const char  *key;         /* the data set's */
    const char  *group;       /* records of one group show the same thing ("concept"); NULL: none told */
    uint8_t     *image;       /* encoded: image[image_bytes] */
    size_t       image_bytes;
    ivl_caption *caption;     /* caption[n_captions] */
    int          n_captions;
    void        *memory;      /* of all but key and image */
    size_t       memory_bytes;
} ivl_sample;

/* Builds the index; pictures are not looked at. Fails if a source cannot be read or nothing is found. */
ivl_status ivl_dataset_open(const char *spec, ivl_dataset **ds_p);
void       ivl_dataset_close(ivl_dataset *ds);
int64_t    ivl_dataset_count(const ivl_dataset *ds);

/* The parts of the spec, joined by "::", as often as `times` says ("3,1": those of the first part three times, those of
 * the second once): the records' numbers, for ivl_loader_config.subset; freed by the caller. */
ivl_status ivl_dataset_repeat(const ivl_dataset *ds, const char *times, int64_t **record_p, int64_t *n_p);

/* Entries that the index leaves out (links, hostile paths, records without a picture, what follows damage):
 * how many, and the message of the i-th, NULL beyond those kept (64). */
int64_t     ivl_dataset_bad(const ivl_dataset *ds);
const char *ivl_dataset_bad_text(const ivl_dataset *ds, int i);

/* Record i; many threads may read at once. Errors name the shard and the key. _text skips the picture. */
ivl_status ivl_dataset_read(const ivl_dataset *ds, int64_t i, ivl_sample *rec_p);
ivl_status ivl_dataset_read_text(const ivl_dataset *ds, int64_t i, ivl_sample *rec_p);
bool       ivl_dataset_has_mask(const ivl_dataset *ds, int64_t i);
/* The record's label map as it is stored (PNG), freed by the caller; an error that names the record if it has none. */
ivl_status ivl_dataset_read_mask(const ivl_dataset *ds, int64_t i, uint8_t **png_p, size_t *n_p);
void       ivl_sample_free(ivl_sample *rec); /* accepts a zeroed one */

/* Key of record i; unique in a shard, not in a data set. In a folder: the path below it without the
 * extension. */
const char *ivl_dataset_key(const ivl_dataset *ds, int64_t i);
/* "SHARD.tar: KEY" or the picture's path, for messages; returns text. */
const char *ivl_dataset_where(const ivl_dataset *ds, int64_t i, char *text, size_t n);

/* Reads and decodes everything. `report` hears of each entry that the index left out (record -1) and each bad
 * record, with a message that names file and key; it returns false to stop early. *bad_p counts them. */
typedef bool (*ivl_check_report)(void *user, int64_t record, const char *message);
ivl_status ivl_dataset_check(const ivl_dataset *ds, ivl_check_report report, void *user, int64_t *bad_p);

#endif
