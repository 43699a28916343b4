#include "ops/ref/ref.h"

#include <tgmath.h>

static REAL sigmoid(REAL x) { return 1 / (1 + exp(-x)); }

ivl_status REF(silu_mul)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *g = ref_alloc(2 * cols), *u = g + cols;
    IVL_CHECK(g, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        ref_row(n->x[0], r, g);
        ref_row(n->x[1], r, u);
        for (int64_t i = 0; i < cols; i++) g[i] = g[i] * sigmoid(g[i]) * u[i];
        ref_put_row(n->y[0], r, g, false);
    }
    free(g);
    return IVL_OK;
}

ivl_status REF(silu_mul_bwd)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *g = ref_alloc(3 * cols), *u = g + cols, *dy = u + cols;
    IVL_CHECK(g, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        ref_row(n->x[0], r, g);
        ref_row(n->x[1], r, u);
        ref_row(n->x[2], r, dy);
        for (int64_t i = 0; i < cols; i++) {
            REAL s = sigmoid(g[i]), du = dy[i] * g[i] * s;
            g[i] = dy[i] * u[i] * s * (1 + g[i] * (1 - s));
            u[i] = du;
        }
        if (n->y[0]) ref_put_row(n->y[0], r, g, ivl_adds(n, 0));
        if (n->y[1]) ref_put_row(n->y[1], r, u, ivl_adds(n, 1));
    }
    free(g);
    return IVL_OK;
}
