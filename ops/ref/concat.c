#include "ops/ref/ref.h"

ivl_status REF(concat)(const ivl_node *n)
{
    const ivl_tensor *y = n->y[0];
    int64_t first = 0;
    for (int i = 0; i < 2 && n->x[i]; i++) {
        const ivl_tensor *x = n->x[i];
        for (int64_t r = 0; r < y->dim[0]; r++)
            for (int64_t c = 0; c < x->dim[1]; c++)
                ref_put(y, r, first + c, ref_get(x, x->dim[0] > 1 ? r : 0, c), false);
        first += x->dim[1];
    }
    return IVL_OK;
}
