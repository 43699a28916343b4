#include "ops/ref/ref.h"

ivl_status REF(cast)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0], *y = n->n_in > 1 && n->x[1] ? n->x[1] : n->y[0];
    int64_t cx = ivl_cols(x), cy = ivl_cols(y), all = ivl_numel(x);
    for (int64_t i = 0; i < all; i++) ref_put(y, i / cy, i % cy, ref_get(x, i / cx, i % cx), ivl_adds(n, 0));
    return IVL_OK;
}
