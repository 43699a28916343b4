#include "ops/ref/ref.h"

/* Row of neighbour q of nine of row t (batch and all), -1 beyond the edges. */
static int64_t neighbour(const ivl_map_attr *a, int64_t t, int q)
{
    int64_t per = (int64_t)a->h * a->w, r = t % per / a->w + q / 3 - 1, c = t % a->w + q % 3 - 1;
    return r >= 0 && r < a->h && c >= 0 && c < a->w ? t / per * per + r * a->w + c : -1;
}

ivl_status REF(im2col)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    for (int64_t t = 0; t < ivl_rows(x); t++)
        for (int q = 0; q < 9; q++) {
            int64_t from = neighbour(n->attr, t, q);
            for (int64_t i = 0; i < ivl_cols(x); i++)
                ref_put(n->y[0], t, 9 * i + q, from < 0 ? 0 : ref_get(x, from, i), false);
        }
    return IVL_OK;
}

ivl_status REF(im2col_bwd)(const ivl_node *n)
{
    const ivl_tensor *dy = n->x[0], *dx = n->y[0];
    int64_t rows = ivl_rows(dx);
    REAL *sum = ref_alloc(rows);
    IVL_CHECK(sum, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < ivl_cols(dx); i++) {
        for (int64_t t = 0; t < rows; t++) sum[t] = 0;
        for (int64_t t = 0; t < rows; t++)
            for (int q = 0; q < 9; q++) {
                int64_t to = neighbour(n->attr, t, q);
                if (to >= 0) sum[to] += ref_get(dy, t, 9 * i + q);
            }
        for (int64_t t = 0; t < rows; t++) ref_put(dx, t, i, sum[t], ivl_adds(n, 0));
    }
    free(sum);
    return IVL_OK;
}
