#include "ops/ref/ref.h"

static int64_t row_of(const ivl_tensor *index, int64_t b, int64_t tokens)
{
    int64_t i = ref_int(index, b);
    return b * tokens + (i < 0 ? 0 : i < tokens ? i : tokens - 1);
}

ivl_status REF(gather_rows)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    REAL *v = ref_alloc(x->dim[2]);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < x->dim[0]; b++) {
        ref_row(x, row_of(n->x[1], b, x->dim[1]), v);
        ref_put_row(n->y[0], b, v, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(gather_rows_bwd)(const ivl_node *n)
{
    const ivl_tensor *dx = n->y[0];
    int64_t rows = dx->dim[0] * dx->dim[1];
    REAL *v = ref_alloc(dx->dim[2]);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    if (!ivl_adds(n, 0))
        for (int64_t r = 0; r < rows; r++) ref_put_row(dx, r, v, false);
    for (int64_t b = 0; b < dx->dim[0]; b++) {
        ref_row(n->x[0], b, v);
        ref_put_row(dx, row_of(n->x[1], b, dx->dim[1]), v, ivl_adds(n, 0));
    }
    free(v);
    return IVL_OK;
}
