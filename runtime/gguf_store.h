/* Private to gguf*.c: what an open file is, reading whole numbers, and types of tensors. */
#ifndef IVL_RUNTIME_GGUF_STORE_H
#define IVL_RUNTIME_GGUF_STORE_H

#include "runtime/file.h"
#include "runtime/gguf.h"

enum { IVL_GGUF_ALIGN = 32 };

/* A value lies in the file; scalar strings are also kept with a 0 behind them. */
typedef struct ivl_gguf_entry {
    char         *key, *string;
    ivl_gguf_kind kind, of; /* of: the kind of an array's elements */
    uint64_t      n;        /* elements of an array, which begin behind 12 bytes */
    const unsigned char *at, *end;
} ivl_gguf_entry;

struct ivl_gguf {
    char            *name;
    ivl_map          map;
    bool             own;    /* the mapping; else it is borrowed memory */
    int              n_meta, n_meta_filled, n, n_filled;
    ivl_gguf_entry  *meta;   /* sorted by key */
    ivl_gguf_tensor *tensor; /* sorted by name */
};

const ivl_gguf_entry *ivl_gguf_entry_find(const ivl_gguf *f, const char *key);
const char *ivl_gguf_kind_name(ivl_gguf_kind k);
size_t      ivl_gguf_kind_bytes(ivl_gguf_kind k);              /* 0: varies */
uint64_t    ivl_gguf_whole(const unsigned char *p, size_t bytes); /* little endian */

/* Type numbers of tensors in files. */
ivl_status ivl_gguf_type_parse(uint32_t type, const char *file, const char *tensor, ivl_dtype *type_p);
ivl_status ivl_gguf_type_of(ivl_dtype t, uint32_t *type_p);

#endif
