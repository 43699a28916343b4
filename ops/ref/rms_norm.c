#include "ops/ref/ref.h"

ivl_status REF(rms_norm)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0], *w = n->x[1];
    const REAL eps = (REAL)((const ivl_norm_attr *)n->attr)->eps;
    int64_t rows = ivl_rows(x), cols = ivl_cols(x);
    REAL *v = ref_alloc(cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        REAL sum = 0;
        ref_row(x, r, v);
        for (int64_t i = 0; i < cols; i++) sum += v[i] * v[i];
        REAL rstd = 1 / (REAL)sqrt((double)(sum / (REAL)cols + eps));
        for (int64_t i = 0; i < cols; i++) v[i] = v[i] * rstd * ref_at(w, i);
        ref_put_row(n->y[0], r, v, false);
        if (n->y[1]) ref_put(n->y[1], 0, r, rstd, false);
    }
    free(v);
    return IVL_OK;
}

static void bwd_row(const ivl_node *n, int64_t r, REAL *x, REAL *dy, REAL *dw)
{
    int64_t cols = ivl_cols(n->x[0]);
    REAL rstd = ref_at(n->x[2], r), dot = 0;
    ref_row(n->x[0], r, x);
    ref_row(n->x[3], r, dy);
    for (int64_t i = 0; i < cols; i++) {
        dw[i] += dy[i] * x[i] * rstd;
        dy[i] *= ref_at(n->x[1], i);
        dot += dy[i] * x[i];
    }
    dot *= rstd * rstd / (REAL)cols;
    for (int64_t i = 0; i < cols; i++) dy[i] = rstd * (dy[i] - x[i] * dot);
    if (n->y[0]) ref_put_row(n->y[0], r, dy, ivl_adds(n, 0));
}

ivl_status REF(rms_norm_bwd)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *v = ref_alloc(3 * cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) bwd_row(n, r, v, v + cols, v + 2 * cols);
    for (int64_t i = 0; n->y[1] && i < cols; i++) {
        ivl_tensor flat = *n->y[1]; /* dw may have any rank */
        ref_put(&flat, 0, i, v[2 * cols + i], ivl_adds(n, 1));
    }
    free(v);
    return IVL_OK;
}
