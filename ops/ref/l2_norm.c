#include "ops/ref/ref.h"

ivl_status REF(l2_norm)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    int64_t rows = ivl_rows(x), cols = ivl_cols(x);
    REAL *v = ref_alloc(cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        REAL sum = 0;
        ref_row(x, r, v);
        for (int64_t i = 0; i < cols; i++) sum += v[i] * v[i];
        REAL inv = 1 / (REAL)sqrt((double)sum);
        for (int64_t i = 0; i < cols; i++) v[i] *= inv;
        if (n->y[0]) ref_put_row(n->y[0], r, v, false);
        if (n->y[1]) ref_put(n->y[1], 0, r, inv, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(l2_norm_bwd)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *x = ref_alloc(2 * cols), *dy = x + cols;
    IVL_CHECK(x, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        REAL inv = ref_at(n->x[1], r), dot = 0;
        ref_row(n->x[0], r, x);
        ref_row(n->x[2], r, dy);
        for (int64_t i = 0; i < cols; i++) dot += dy[i] * x[i];
        dot *= inv * inv;
        for (int64_t i = 0; i < cols; i++) dy[i] = inv * (dy[i] - x[i] * dot);
        ref_put_row(n->y[0], r, dy, ivl_adds(n, 0));
    }
    free(x);
    return IVL_OK;
}
