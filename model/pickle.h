/* The part of Python's pickle format that torch.save needs for a dictionary of tensors. Nothing is ever imported or
 * called: the few names that may stand in such a file are known here, and any other name or opcode is refused. */
#ifndef IVL_MODEL_PICKLE_H
#define IVL_MODEL_PICKLE_H

#include "model/safetensors.h"

typedef enum ivl_pickle_kind {
    IVL_PICKLE_OTHER,   /* None, truth values, numbers, lists: of no use here */
    IVL_PICKLE_INT, IVL_PICKLE_TEXT, IVL_PICKLE_TUPLE, IVL_PICKLE_DICT, IVL_PICKLE_NAME, IVL_PICKLE_STORAGE,
    IVL_PICKLE_TENSOR
} ivl_pickle_kind;

typedef struct ivl_pickle_text { const char *p; size_t n; } ivl_pickle_text; /* in the pickle, not ended by 0 */

/* Tensors refer to a storage by its key; sizes and strides are as the file says, in elements, not yet checked. */
typedef struct ivl_pickle_value {
    ivl_pickle_kind kind;
    int64_t         i;       /* INT; NAME: which; STORAGE: elements; TENSOR: first element */
    ivl_pickle_text text;    /* TEXT; STORAGE and TENSOR: the key */
    ivl_st_type     type;    /* STORAGE, TENSOR */
    int32_t        *item;    /* TUPLE: values; DICT: keys and values in turn; TENSOR: sizes, then strides */
    int             n, room; /* of item; TENSOR: 2 * rank */
    int64_t         elements; /* TENSOR: of its storage */
} ivl_pickle_value;

typedef struct ivl_pickle { ivl_pickle_value *value; int n, top; } ivl_pickle; /* top: the result */

/* name is for messages. */
ivl_status ivl_pickle_read(const void *data, size_t n, const char *name, ivl_pickle *p_p);
void       ivl_pickle_free(ivl_pickle *p); /* accepts a zeroed one */

#endif
