/* Kernel sources in the library. */
#ifndef IVL_RUNTIME_EMBED_H
#define IVL_RUNTIME_EMBED_H

#include <stddef.h>

typedef struct ivl_embedded_file { const char *name, *text; size_t bytes; } ivl_embedded_file;
extern const ivl_embedded_file ivl_embedded[]; /* ends with a NULL name */

#endif
