#include "ops/ref/ref.h"

/* Row of the smaller map that token t of the larger one (batch and all) is from; *which of its four cells. */
static int64_t small_row(const ivl_map_attr *a, int64_t t, int *which)
{
    int64_t per = 4 * (int64_t)a->h * a->w, b = t / per, r = t % per / (2 * a->w), c = t % per % (2 * a->w);
    *which = (int)(r % 2 * 2 + c % 2);
    return b * a->h * a->w + r / 2 * a->w + c / 2;
}

ivl_status REF(depth_to_space)(const ivl_node *n)
{
    int which;
    for (int64_t t = 0; t < ivl_rows(n->y[0]); t++) {
        int64_t row = small_row(n->attr, t, &which);
        for (int64_t c = 0; c < ivl_cols(n->y[0]); c++)
            ref_put(n->y[0], t, c, ref_get(n->x[0], row, 4 * c + which) + (n->x[1] ? ref_at(n->x[1], c) : 0), false);
    }
    return IVL_OK;
}

ivl_status REF(depth_to_space_bwd)(const ivl_node *n)
{
    int which;
    for (int64_t t = 0; t < ivl_rows(n->x[0]); t++) {
        int64_t row = small_row(n->attr, t, &which);
        for (int64_t c = 0; c < ivl_cols(n->x[0]); c++)
            ref_put(n->y[0], row, 4 * c + which, ref_get(n->x[0], t, c), ivl_adds(n, 0));
    }
    return IVL_OK;
}
