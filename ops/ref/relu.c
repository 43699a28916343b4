#include "ops/ref/ref.h"

ivl_status REF(relu)(const ivl_node *n)
{
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++)
        for (int64_t c = 0; c < ivl_cols(n->x[0]); c++) {
            REAL x = ref_get(n->x[0], r, c);
            ref_put(n->y[0], r, c, x < 0 ? 0 : x, false);
        }
    return IVL_OK;
}

ivl_status REF(relu_bwd)(const ivl_node *n)
{
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++)
        for (int64_t c = 0; c < ivl_cols(n->x[0]); c++)
            ref_put(n->y[0], r, c, ref_get(n->x[0], r, c) > 0 ? ref_get(n->x[1], r, c) : 0, ivl_adds(n, 0));
    return IVL_OK;
}
