#include "ops/ref/ref.h"

ivl_status REF(vit_tokens)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0], *cls = n->x[1], *pos = n->x[2], *keep = n->x[3];
    int64_t k = x->dim[1], cols = x->dim[2], grid = ivl_rows(pos) - 1;
    for (int64_t r = 0; r < x->dim[0] * (1 + k); r++) {
        int64_t b = r / (1 + k), t = r % (1 + k) - 1;
        int64_t at = t < 0 ? -1 : keep ? ref_int(keep, b * k + t) : t;
        bool inside = at >= -1 && at < grid && (t < 0 || at >= 0);
        for (int64_t c = 0; c < cols; c++) {
            REAL v = t < 0 ? ref_at(cls, c) : ref_get(x, b * k + t, c);
            ref_put(n->y[0], r, c, v + (inside ? ref_get(pos, 1 + at, c) : 0), false);
        }
    }
    return IVL_OK;
}

/* Adds dy of image b into the sums of positions it used; row 0 is the class token. */
static void collect(const ivl_node *n, int64_t b, int64_t k, int64_t cols, int64_t grid, REAL *sum)
{
    const ivl_tensor *keep = n->x[0], *dy = n->x[1];
    for (int64_t t = -1; t < k; t++) {
        int64_t at = t < 0 ? -1 : keep ? ref_int(keep, b * k + t) : t;
        if (at >= grid || (t >= 0 && at < 0)) continue;
        for (int64_t c = 0; c < cols; c++) sum[(1 + at) * cols + c] += ref_get(dy, b * (1 + k) + 1 + t, c);
    }
}

ivl_status REF(vit_tokens_bwd)(const ivl_node *n)
{
    const ivl_tensor *dy = n->x[1], *dx = n->y[0], *dcls = n->y[1], *dpos = n->y[2];
    int64_t batch = dy->dim[0], k = dy->dim[1] - 1, cols = dy->dim[2], grid = dpos ? ivl_rows(dpos) - 1 : 0;
    REAL *sum = ref_alloc((1 + grid) * cols);
    IVL_CHECK(sum, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < batch; b++) {
        collect(n, b, k, cols, grid, sum);
        for (int64_t i = 0; dx && i < k * cols; i++)
            ref_put(dx, b * k + i / cols, i % cols, ref_get(dy, b * (1 + k) + 1 + i / cols, i % cols), ivl_adds(n, 0));
    }
    for (int64_t c = 0; dcls && c < cols; c++) ref_put(dcls, 0, c, sum[c], ivl_adds(n, 1));
    for (int64_t i = 0; dpos && i < (1 + grid) * cols; i++) ref_put(dpos, i / cols, i % cols, sum[i], ivl_adds(n, 2));
    free(sum);
    return IVL_OK;
}
