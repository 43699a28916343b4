#include "ops/ref/ref.h"

static void statistics(const ivl_tensor *x, int64_t c, REAL *mean, REAL *sq)
{
    int64_t rows = ivl_rows(x);
    *mean = *sq = 0;
    for (int64_t r = 0; r < rows; r++) *mean += ref_get(x, r, c);
    *mean /= (REAL)rows;
    for (int64_t r = 0; r < rows; r++) {
        REAL d = ref_get(x, r, c) - *mean;
        *sq += d * d;
    }
}

ivl_status REF(batch_norm)(const ivl_node *n)
{
    const ivl_batch_norm_attr *a = n->attr;
    const ivl_tensor *x = n->x[0], *running_mean = n->x[3], *running_var = n->x[4];
    const REAL eps = (REAL)a->eps, momentum = (REAL)a->momentum;
    int64_t rows = ivl_rows(x);
    for (int64_t c = 0, cols = ivl_cols(x); c < cols; c++) {
        REAL mean = ref_at(running_mean, c), var = ref_at(running_var, c), sq;
        if (a->train) {
            REAL old_mean = mean, old_var = var;
            statistics(x, c, &mean, &sq);
            var = sq / (REAL)rows;
            ref_put(running_mean, 0, c, (1 - momentum) * old_mean + momentum * mean, false);
            ref_put(running_var, 0, c, (1 - momentum) * old_var + momentum * (sq / (REAL)(rows - 1)), false);
        }
        REAL rstd = 1 / (REAL)sqrt((double)(var + eps));
        if (n->y[1]) ref_put(n->y[1], 0, c, mean, false);
        if (n->y[2]) ref_put(n->y[2], 0, c, rstd, false);
        for (int64_t r = 0; r < rows; r++)
            ref_put(n->y[0], r, c, (ref_get(x, r, c) - mean) * rstd * ref_at(n->x[1], c) + ref_at(n->x[2], c), false);
    }
    return IVL_OK;
}

ivl_status REF(batch_norm_bwd)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0], *dy = n->x[4];
    int64_t rows = ivl_rows(x);
    REAL share = ((const ivl_batch_norm_attr *)n->attr)->train ? 1 / (REAL)rows : 0;
    for (int64_t c = 0, cols = ivl_cols(x); c < cols; c++) {
        REAL w = ref_at(n->x[1], c), mean = ref_at(n->x[2], c), rstd = ref_at(n->x[3], c), dw = 0, db = 0;
        for (int64_t r = 0; r < rows; r++) {
            dw += ref_get(dy, r, c) * (ref_get(x, r, c) - mean) * rstd;
            db += ref_get(dy, r, c);
        }
        for (int64_t r = 0; r < rows && n->y[0]; r++) {
            REAL hat = (ref_get(x, r, c) - mean) * rstd;
            ref_put(n->y[0], r, c, w * rstd * (ref_get(dy, r, c) - (db + hat * dw) * share), ivl_adds(n, 0));
        }
        if (n->y[1]) ref_put(n->y[1], 0, c, dw, ivl_adds(n, 1));
        if (n->y[2]) ref_put(n->y[2], 0, c, db, ivl_adds(n, 2));
    }
    return IVL_OK;
}
