#include "ops/ref/ref.h"

ivl_status REF(sq_norm)(const ivl_node *n)
{
    REAL sum = 0;
    for (int k = 0; k < n->n_in; k++)
        for (int64_t i = 0, count = ivl_numel(n->x[k]); i < count; i++) {
            REAL v = ref_at(n->x[k], i);
            sum += v * v;
        }
    ref_put(n->y[0], 0, 0, sum, false);
    return IVL_OK;
}
