#include "ops/ref/ref.h"

ivl_status REF(layer_norm)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    const REAL eps = (REAL)((const ivl_norm_attr *)n->attr)->eps;
    int64_t rows = ivl_rows(x), cols = ivl_cols(x);
    REAL *v = ref_alloc(3 * cols), *w = v + cols, *b = w + cols;
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < cols; i++) w[i] = ref_at(n->x[1], i), b[i] = ref_at(n->x[2], i);
    for (int64_t r = 0; r < rows; r++) {
        REAL mean = 0, var = 0;
        ref_row(x, r, v);
        for (int64_t i = 0; i < cols; i++) mean += v[i];
        mean /= (REAL)cols;
        for (int64_t i = 0; i < cols; i++) var += (v[i] - mean) * (v[i] - mean);
        REAL rstd = 1 / (REAL)sqrt((double)(var / (REAL)cols + eps));
        for (int64_t i = 0; i < cols; i++) v[i] = (v[i] - mean) * rstd * w[i] + b[i];
        if (n->y[0]) ref_put_row(n->y[0], r, v, false);
        if (n->y[1]) ref_put(n->y[1], 0, r, mean, false);
        if (n->y[2]) ref_put(n->y[2], 0, r, rstd, false);
    }
    free(v);
    return IVL_OK;
}

/* Rows of x and dy; dw and db collect the sums. */
static void bwd_row(const ivl_node *n, int64_t r, REAL *x, REAL *dy, REAL *dw, REAL *db)
{
    int64_t cols = ivl_cols(n->x[0]);
    REAL mean = ref_at(n->x[2], r), rstd = ref_at(n->x[3], r), sum = 0, dot = 0;
    ref_row(n->x[0], r, x);
    ref_row(n->x[4], r, dy);
    for (int64_t i = 0; i < cols; i++) {
        x[i] = (x[i] - mean) * rstd;
        dw[i] += dy[i] * x[i];
        db[i] += dy[i];
        dy[i] *= ref_at(n->x[1], i);
        sum += dy[i];
        dot += dy[i] * x[i];
    }
    sum /= (REAL)cols, dot /= (REAL)cols;
    for (int64_t i = 0; i < cols; i++) dy[i] = rstd * (dy[i] - sum - x[i] * dot);
    if (n->y[0]) ref_put_row(n->y[0], r, dy, ivl_adds(n, 0));
}

ivl_status REF(layer_norm_bwd)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *v = ref_alloc(4 * cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) bwd_row(n, r, v, v + cols, v + 2 * cols, v + 3 * cols);
    for (int k = 1; k < 3; k++)
        for (int64_t i = 0; n->y[k] && i < cols; i++)
            ref_put(n->y[k], 0, i, v[(k + 1) * cols + i], ivl_adds(n, k));
    free(v);
    return IVL_OK;
}
