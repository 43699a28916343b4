#include "ops/ref/ref.h"

#include <tgmath.h>

#define ROOT_HALF ((REAL)0.70710678118654752440)
#define ROOT_TWO_PI_INV ((REAL)0.39894228040143267794)

static REAL phi(REAL x) { return (REAL)0.5 * (1 + erf(x * ROOT_HALF)); }

ivl_status REF(gelu)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *v = ref_alloc(cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        ref_row(n->x[0], r, v);
        for (int64_t i = 0; i < cols; i++) v[i] *= phi(v[i]);
        ref_put_row(n->y[0], r, v, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(gelu_bwd)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *x = ref_alloc(2 * cols), *dy = x + cols;
    IVL_CHECK(x, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        ref_row(n->x[0], r, x);
        ref_row(n->x[1], r, dy);
        for (int64_t i = 0; i < cols; i++)
            dy[i] *= phi(x[i]) + x[i] * ROOT_TWO_PI_INV * exp(-(REAL)0.5 * x[i] * x[i]);
        ref_put_row(n->y[0], r, dy, ivl_adds(n, 0));
    }
    free(x);
    return IVL_OK;
}
