/* GGUF files (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3, little endian: metadata, tensor table, one
 * aligned data section. Read in place from a mapping; every count, length and place is checked before a tensor or value
 * is handed out. Written aside and renamed. What the tensors mean stands in model/gguf.h. */
#ifndef IVL_RUNTIME_GGUF_H
#define IVL_RUNTIME_GGUF_H

#include <ivl/backend.h>

/* Types of metadata, numbered as in files. */
typedef enum ivl_gguf_kind {
    IVL_GGUF_U8, IVL_GGUF_I8, IVL_GGUF_U16, IVL_GGUF_I16, IVL_GGUF_U32, IVL_GGUF_I32, IVL_GGUF_F32, IVL_GGUF_BOOL,
    IVL_GGUF_STRING, IVL_GGUF_ARRAY, IVL_GGUF_U64, IVL_GGUF_I64, IVL_GGUF_F64, IVL_GGUF_KINDS
} ivl_gguf_kind;

enum { IVL_GGUF_RANK = 4 };

/* --- reading --- */

typedef struct ivl_gguf_tensor {
    const char *name, *file; /* file for messages */
    ivl_dtype   type;        /* F32, F16, BF16, Q8_0, Q4_0, Q4_1, also F64, I32 */
    int         rank;
    int64_t dim[IVL_GGUF_RANK], elements; /* rows first, the contiguous axis last: the reverse of the file's order */
    const void *data;        /* in the mapping */
    size_t      bytes;
} ivl_gguf_tensor;

typedef struct ivl_gguf ivl_gguf;

ivl_status ivl_gguf_open(const char *path, ivl_gguf **f_p);
/* n bytes of memory that outlive the result; name is for messages. */
ivl_status ivl_gguf_open_memory(const void *data, size_t n, const char *name, ivl_gguf **f_p);
void       ivl_gguf_close(ivl_gguf *f);
bool       ivl_gguf_is(const void *data, size_t n); /* do these bytes begin as such a file does? */

const char            *ivl_gguf_name(const ivl_gguf *f);              /* of the file */
int                    ivl_gguf_count(const ivl_gguf *f);
const ivl_gguf_tensor *ivl_gguf_at(const ivl_gguf *f, int i);         /* sorted by name */
const ivl_gguf_tensor *ivl_gguf_find(const ivl_gguf *f, const char *name); /* NULL if there is none */

/* Elements [first, first + n), converted; IVL_EINVAL outside the tensor. Any element may be first, also of a
 * quantised tensor. Whole blocks of one may be read as they are (to: its own type). */
ivl_status ivl_gguf_read(const ivl_gguf_tensor *t, int64_t first, int64_t n, ivl_dtype to, void *dst);

/* Metadata. Each getter leaves *v_p alone when the key is absent and refuses another kind: int takes every whole
 * number, real also those. Strings live as long as f; they hold no NUL. */
int        ivl_gguf_meta_count(const ivl_gguf *f);
const char *ivl_gguf_meta_key(const ivl_gguf *f, int i);
bool       ivl_gguf_has(const ivl_gguf *f, const char *key);
ivl_status ivl_gguf_int(const ivl_gguf *f, const char *key, int64_t *v_p);
ivl_status ivl_gguf_real(const ivl_gguf *f, const char *key, double *v_p);
ivl_status ivl_gguf_bool(const ivl_gguf *f, const char *key, bool *v_p);
ivl_status ivl_gguf_string(const ivl_gguf *f, const char *key, const char **v_p);

/* Arrays, *list_p freed by the caller; NULL and 0 when the key is absent. */
typedef struct ivl_gguf_text { const char *p; size_t n; } ivl_gguf_text; /* in the mapping, not ended by 0 */
ivl_status ivl_gguf_strings(const ivl_gguf *f, const char *key, ivl_gguf_text **list_p, int64_t *n_p);
ivl_status ivl_gguf_ints(const ivl_gguf *f, const char *key, int64_t **list_p, int64_t *n_p);
ivl_status ivl_gguf_reals(const ivl_gguf *f, const char *key, double **list_p, int64_t *n_p);

/* --- writing --- */

/* Metadata to be; a lack of memory shows at save. */
typedef struct ivl_gguf_meta ivl_gguf_meta;
ivl_gguf_meta *ivl_gguf_meta_create(void);
void ivl_gguf_meta_destroy(ivl_gguf_meta *m);
void ivl_gguf_put_u32(ivl_gguf_meta *m, const char *key, uint32_t v);
void ivl_gguf_put_f32(ivl_gguf_meta *m, const char *key, float v);
void ivl_gguf_put_bool(ivl_gguf_meta *m, const char *key, bool v);
void ivl_gguf_put_string(ivl_gguf_meta *m, const char *key, const char *v);
void ivl_gguf_put_strings(ivl_gguf_meta *m, const char *key, const ivl_gguf_text *list, int64_t n);
void ivl_gguf_put_i32s(ivl_gguf_meta *m, const char *key, const int32_t *list, int64_t n);
void ivl_gguf_put_f32s(ivl_gguf_meta *m, const char *key, const float *list, int64_t n);
/* The value as it stands in f, whatever its kind; nothing if f lacks it. */
void ivl_gguf_put_copy(ivl_gguf_meta *m, const ivl_gguf *f, const char *key);

typedef struct ivl_gguf_item {
    const char *name;
    ivl_dtype   type;        /* in the file: F32, F16, BF16, Q8_0, Q4_0, Q4_1 */
    int         rank;
    int64_t     dim[IVL_GGUF_RANK];
    ivl_dtype   from;        /* what fill gives; where it is not `type`, values are converted and must fit */
    /* Elements [first, first + n) in ascending order; n is a multiple of 32 except at the end. */
    ivl_status (*fill)(const struct ivl_gguf_item *item, int64_t first, int64_t n, void *dst);
    void       *ctx;
} ivl_gguf_item;

/* Replaces PATH only when everything is on the disk. Values that `type` cannot hold (not finite, or beyond f16's range
 * in F16 and quantised types) are IVL_EFORMAT. */
ivl_status ivl_gguf_save(const char *path, const ivl_gguf_meta *m, const ivl_gguf_item *item, int n);

#endif
