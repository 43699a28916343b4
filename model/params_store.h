/* Private to params*.c: slabs of memory and the index by name. */
#ifndef IVL_MODEL_PARAMS_STORE_H
#define IVL_MODEL_PARAMS_STORE_H

#include "model/params.h"

enum { IVL_KINDS = 5 }; /* value, grad, master, m, v: the order of the tensors in ivl_param and ivl_range */

/* A run of the flat layout that one allocation holds, for every kind. */
typedef struct ivl_slab {
    int64_t    first, elements;
    bool       trainable;
    ivl_buffer buf[IVL_KINDS];
} ivl_slab;

typedef struct ivl_params_store {
    ivl_slab *slab;
    int       n_slabs;
    int      *by_name; /* indices of param, sorted by name */
    int       n_flat;  /* parameters of the flat layout; behind them those in blocks */
    ivl_buffer *blocks; /* of those, [n] of param */
    bool      layerwise, allocated;
} ivl_params_store;

/* Orders the rows, places them and cuts ranges as if one allocation held everything. */
ivl_status ivl_params_layout(ivl_params *p, const ivl_params_options *o);

#endif
