#include "ops/ref/ref.h"

ivl_status REF(mean)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    int64_t batch = x->dim[0], tokens = x->dim[1], cols = x->dim[2];
    REAL *v = ref_alloc(2 * cols), *sum = v + cols;
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < batch; b++) {
        for (int64_t i = 0; i < cols; i++) sum[i] = 0;
        for (int64_t t = 0; t < tokens; t++) {
            ref_row(x, b * tokens + t, v);
            for (int64_t i = 0; i < cols; i++) sum[i] += v[i];
        }
        for (int64_t i = 0; i < cols; i++) sum[i] /= (REAL)tokens;
        ref_put_row(n->y[0], b, sum, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(mean_bwd)(const ivl_node *n)
{
    const ivl_tensor *dx = n->y[0];
    int64_t batch = dx->dim[0], tokens = dx->dim[1], cols = dx->dim[2];
    REAL *v = ref_alloc(cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < batch; b++) {
        ref_row(n->x[0], b, v);
        for (int64_t i = 0; i < cols; i++) v[i] /= (REAL)tokens;
        for (int64_t t = 0; t < tokens; t++) ref_put_row(dx, b * tokens + t, v, ivl_adds(n, 0));
    }
    free(v);
    return IVL_OK;
}
