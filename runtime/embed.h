/* Texts in the library: kernel sources and configurations (conf/). */
#ifndef IVL_RUNTIME_EMBED_H
#define IVL_RUNTIME_EMBED_H

#include <stddef.h>

typedef struct ivl_embedded_file { const char *name, *text; size_t bytes; } ivl_embedded_file;
extern const ivl_embedded_file ivl_embedded[];      /* kernels; ends with a NULL name */
extern const ivl_embedded_file ivl_embedded_conf[]; /* configurations; the same */
/* By file name ("rms_norm.cl", "dialect.h"), registered ones included; NULL if there is none. */
const ivl_embedded_file *ivl_source_find(const char *name);

/* The same kernels compiled for NVIDIA GPUs, where the build had nvcc: file, storage type, binary. */
typedef struct ivl_embedded_fatbin {
    const char *name, *storage;
    const unsigned char *data;
    size_t bytes;
} ivl_embedded_fatbin;
extern const ivl_embedded_fatbin ivl_fatbins[]; /* ends with a NULL name */

#endif
