/* The tensors of a model wherever they lie: a folder of safetensors, a GGUF file, a .pth file; always under Hugging
 * Face's names and in its layout. */
#ifndef IVL_MODEL_WEIGHTS_H
#define IVL_MODEL_WEIGHTS_H

#include "model/config.h"
#include "runtime/gguf.h"

typedef struct ivl_weights_tensor {
    const char *name, *file; /* file for messages */
    ivl_dtype   type;        /* storage; F64 also for whole numbers of 64 bits, U8 for truth values */
    int         rank;
    int64_t     dim[8], elements;
    const void *from;
} ivl_weights_tensor;

typedef struct ivl_weights ivl_weights;

/* path: a folder with model.safetensors or its shards, else model.gguf, else pytorch_model.bin; a .safetensors, .gguf
 * or .pth file. What a file is shows in its first bytes. Tensors of a GGUF file that have no counterpart keep their
 * names. */
ivl_status ivl_weights_open(const char *path, ivl_weights **w_p);
void       ivl_weights_close(ivl_weights *w);

int               ivl_weights_count(const ivl_weights *w);
const ivl_weights_tensor *ivl_weights_at(const ivl_weights *w, int i);             /* sorted by name */
const ivl_weights_tensor *ivl_weights_find(const ivl_weights *w, const char *name); /* NULL if there is none */
/* Elements [first, first + n), converted. */
ivl_status ivl_weights_read(const ivl_weights *w, const ivl_weights_tensor *t, int64_t first, int64_t n, ivl_dtype to,
                            void *dst);
/* The open file, for its metadata; NULL: it is none. */
const ivl_gguf   *ivl_weights_gguf(const ivl_weights *w);
bool              ivl_weights_is_pth(const ivl_weights *w);

#endif
