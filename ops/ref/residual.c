#include "ops/ref/ref.h"

static const ivl_tensor *input(const ivl_node *n, int i) { return i < n->n_in ? n->x[i] : NULL; }

/* The scale of row r. */
static REAL row_scale(const ivl_tensor *x, const ivl_tensor *scale, int64_t r)
{
    return scale ? ref_at(scale, r / (ivl_rows(x) / x->dim[0])) : 1;
}

/* ls as REAL; ones where absent. */
static void row_ls(const ivl_tensor *ls, int64_t cols, REAL *v)
{
    for (int64_t i = 0; i < cols; i++) v[i] = ls ? ref_at(ls, i) : 1;
}

ivl_status REF(residual)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    int64_t rows = ivl_rows(x), cols = ivl_cols(x);
    REAL *v = ref_alloc(3 * cols), *y = v + cols, *ls = y + cols;
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    row_ls(input(n, 2), cols, ls);
    for (int64_t r = 0; r < rows; r++) {
        REAL s = row_scale(x, input(n, 3), r);
        ref_row(x, r, v);
        ref_row(n->x[1], r, y);
        for (int64_t i = 0; i < cols; i++) v[i] += s * ls[i] * y[i];
        ref_put_row(n->y[0], r, v, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(residual_bwd)(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0];
    int64_t rows = ivl_rows(x), cols = ivl_cols(x);
    REAL *dy = ref_alloc(4 * cols), *y = dy + cols, *ls = y + cols, *dls = ls + cols;
    IVL_CHECK(dy, IVL_ENOMEM, "out of memory");
    row_ls(input(n, 2), cols, ls);
    for (int64_t r = 0; r < rows; r++) {
        REAL s = row_scale(x, input(n, 3), r);
        ref_row(x, r, dy);
        if (n->y[1]) ref_row(n->x[1], r, y);
        for (int64_t i = 0; i < cols; i++) {
            dls[i] += dy[i] * s * y[i];
            dy[i] *= s * ls[i];
        }
        if (n->y[0]) ref_put_row(n->y[0], r, dy, ivl_adds(n, 0));
    }
    for (int64_t i = 0; n->y[1] && i < cols; i++) ref_put(n->y[1], 0, i, dls[i], ivl_adds(n, 1));
    free(dy);
    return IVL_OK;
}
