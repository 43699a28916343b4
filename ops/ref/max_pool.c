#include "ops/ref/ref.h"

/* The token, of the four whose first is x's row `row`, that is largest in column c; rows of the map are w apart. */
static int64_t largest(const ivl_tensor *x, int64_t row, int w, int64_t c)
{
    int64_t at = row;
    for (int q = 1; q < 4; q++) {
        int64_t r = row + (q >> 1) * w + (q & 1);
        REAL v = ref_get(x, r, c);
        if (v > ref_get(x, at, c) || isnan(v)) at = r;
    }
    return at;
}

/* Token of x that begins the four of token t of y, batch and all. */
static int64_t first_of(const ivl_map_attr *a, int64_t t)
{
    int64_t per = (int64_t)(a->h / 2) * (a->w / 2), b = t / per, r = t % per / (a->w / 2), c = t % per % (a->w / 2);
    return b * a->h * a->w + 2 * r * a->w + 2 * c;
}

ivl_status REF(max_pool)(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    for (int64_t t = 0; t < ivl_rows(n->y[0]); t++)
        for (int64_t c = 0; c < ivl_cols(n->y[0]); c++)
            ref_put(n->y[0], t, c, ref_get(n->x[0], largest(n->x[0], first_of(a, t), a->w, c), c), false);
    return IVL_OK;
}

ivl_status REF(max_pool_bwd)(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    const ivl_tensor *x = n->x[0], *dy = n->x[1], *dx = n->y[0];
    for (int64_t t = 0; t < ivl_rows(dx) && !ivl_adds(n, 0); t++)
        for (int64_t c = 0; c < ivl_cols(dx); c++) ref_put(dx, t, c, 0, false);
    for (int64_t t = 0; t < ivl_rows(dy); t++)
        for (int64_t c = 0; c < ivl_cols(dy); c++)
            ref_put(dx, largest(x, first_of(a, t), a->w, c), c, ref_get(dy, t, c), true);
    return IVL_OK;
}
