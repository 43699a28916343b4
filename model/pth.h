/* Files of torch.save (.pth, .pt, .bin) that hold a dictionary of tensors: a zip archive with a pickle and one member
 * for each storage. Read in place; only what tensors need is understood, and nothing is ever run (model/pickle.h). */
#ifndef IVL_MODEL_PTH_H
#define IVL_MODEL_PTH_H

#include "model/safetensors.h"

typedef struct ivl_pth_tensor {
    const char *name, *file;
    ivl_st_type type;
    int         rank;
    int64_t     dim[IVL_ST_RANK], stride[IVL_ST_RANK], elements; /* strides in elements */
    bool        in_order;    /* contiguous, row-major */
    ivl_st_tensor span;      /* from the first to the last element, as one row */
} ivl_pth_tensor;

typedef struct ivl_pth ivl_pth;

/* Of a dictionary with one of the keys state_dict, model, module that is itself a dictionary, that one is taken; values
 * that are no tensors are passed over. */
ivl_status ivl_pth_open(const char *path, ivl_pth **f_p);
ivl_status ivl_pth_open_memory(const void *data, size_t n, const char *name, ivl_pth **f_p); /* memory outlives it */
void       ivl_pth_close(ivl_pth *f);

int                   ivl_pth_count(const ivl_pth *f);
const ivl_pth_tensor *ivl_pth_at(const ivl_pth *f, int i); /* sorted by name */
/* Elements [first, first + n) in row-major order, converted as ivl_st_read does. */
ivl_status            ivl_pth_read(const ivl_pth_tensor *t, int64_t first, int64_t n, ivl_dtype to, void *dst);

/* Name of a tensor of the public InternVL files in Hugging Face's form: "blocks.0.ls1.gamma" becomes
 * "vision_model.encoder.layers.0.ls1", or without "vision_model." where `whole` is false (a vision encoder alone);
 * "transformer." becomes "qllama.". Others stay. */
enum { IVL_PTH_NAME = 160 };
void ivl_pth_to_hf(const char *name, bool whole, char hf[IVL_PTH_NAME]);

#endif
