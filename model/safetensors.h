/* safetensors files (github.com/huggingface/safetensors, format section): u64 header length, JSON header, one
 * buffer. Read in place from a mapping, single or sharded; every rule of the format is checked before a
 * tensor is handed out. Written aside and renamed. */
#ifndef IVL_MODEL_SAFETENSORS_H
#define IVL_MODEL_SAFETENSORS_H

#include <ivl/backend.h>

typedef enum ivl_st_type {
    IVL_ST_F64,
    IVL_ST_F32,
    IVL_ST_F16,
    IVL_ST_BF16,
    IVL_ST_I64,
    IVL_ST_I32,
    IVL_ST_U8,
    IVL_ST_BOOL,
    IVL_ST_TYPES
} ivl_st_type;

const char *ivl_st_type_name(ivl_st_type t);  /* "F32" */
size_t      ivl_st_type_bytes(ivl_st_type t);
ivl_st_type ivl_st_type_of(ivl_dtype t);      /* f64, f32, f16, bf16, i32, u8 */

enum { IVL_ST_RANK = 8 };

/* --- reading --- */

typedef struct ivl_st_tensor {
    const char *name, *file; /* file for messages */
    ivl_st_type type;
    int         rank;
    int64_t     dim[IVL_ST_RANK], elements;
    const void *data;        /* in the mapping; not aligned: read with ivl_st_read */
    size_t      bytes;
} ivl_st_tensor;

typedef struct ivl_st ivl_st;

ivl_status ivl_st_open(const char *path, ivl_st **f_p);
/* A folder with model.safetensors.index.json and its shards, or model.safetensors. */
ivl_status ivl_st_open_dir(const char *dir, ivl_st **f_p);
/* n bytes of memory that outlive the result; name is for messages. */
ivl_status ivl_st_open_memory(const void *data, size_t n, const char *name, ivl_st **f_p);
void       ivl_st_close(ivl_st *f);

int                  ivl_st_count(const ivl_st *f);
const ivl_st_tensor *ivl_st_at(const ivl_st *f, int i);             /* sorted by name */
const ivl_st_tensor *ivl_st_find(const ivl_st *f, const char *name); /* NULL if there is none */
const char          *ivl_st_meta(const ivl_st *f, const char *key);  /* __metadata__; NULL if there is none */

/* Elements [first, first + n), converted; IVL_EINVAL outside the tensor. BOOL reads as 0 and 1. I64 that do
 * not fit into i32 are IVL_EFORMAT. */
ivl_status ivl_st_read(const ivl_st_tensor *t, int64_t first, int64_t n, ivl_dtype to, void *dst);

/* --- writing --- */

typedef struct ivl_st_item {
    const char *name;
    ivl_st_type type;
    int         rank;
    int64_t     dim[IVL_ST_RANK];
    const void *data;        /* NULL: fill gives the values, piece by piece, in ascending order */
    ivl_status (*fill)(const struct ivl_st_item *item, int64_t first, int64_t n, void *dst);
    void       *ctx;
} ivl_st_item;

typedef struct ivl_st_pair { const char *key, *value; } ivl_st_pair;

/* Replaces PATH only when everything is on the disk. */
ivl_status ivl_st_save(const char *path, const ivl_st_item *item, int n, const ivl_st_pair *meta, int n_meta);
/* model.safetensors in DIR, or shards of at most shard_bytes (0: one file) with their index. The new files
 * are all complete before the first replaces an old one; files of an older layout are removed at the end. */
ivl_status ivl_st_save_dir(const char *dir, const ivl_st_item *item, int n, size_t shard_bytes,
                           const ivl_st_pair *meta, int n_meta);

#endif
