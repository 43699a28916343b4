/* linear, its fused forms and matmul: operands converted once, then rows of y as sums over k in ascending
 * order. */
#include "ops/ref/ref.h"

/* t as a dense matrix, transposed if asked; NULL when out of memory. */
static REAL *dense(const ivl_tensor *t, bool transpose)
{
    int64_t rows = ivl_rows(t), cols = ivl_cols(t);
    REAL *m = ref_alloc(rows * cols), *row = transpose ? ref_alloc(cols) : NULL;
    for (int64_t r = 0; m && r < rows; r++) {
        if (!transpose) {
            ref_row(t, r, m + r * cols);
            continue;
        }
        if (!row) break;
        ref_row(t, r, row);
        for (int64_t c = 0; c < cols; c++) m[c * rows + r] = row[c];
    }
    if (transpose && !row) free(m), m = NULL;
    free(row);
    return m;
}

/* Row i of a[m,k] b[k,n]. */
static void product_row(const REAL *a, const REAL *b, int64_t i, int64_t k, int64_t n, REAL *y)
{
    for (int64_t j = 0; j < n; j++) y[j] = 0;
    for (int64_t p = 0; p < k; p++) {
        REAL v = a[i * k + p];
        for (int64_t j = 0; j < n; j++) y[j] += v * b[p * n + j];
    }
}

/* Element (row, col) of the product in y, whose own last axis may be another (a gradient of any shape). */
static void put(const ivl_tensor *y, int64_t n, int64_t row, int64_t col, REAL v, bool add)
{
    int64_t at = row * n + col, cols = ivl_cols(y);
    ref_put(y, at / cols, at % cols, v, add);
}

static REAL gelu(REAL x) { return (REAL)(0.5 * (double)x * (1 + erf((double)x * 0.70710678118654752440))); }

/* What becomes of row r, y[n] = x w^T + b: the op's epilogue. */
static void finish_row(const ivl_node *n, int64_t r, int64_t cols, const REAL *v)
{
    const ivl_tensor *z = n->n_out > 1 ? n->y[1] : NULL;
    const ivl_tensor *res = n->op == IVL_OP_linear_residual ? n->x[3] : NULL,
                     *ls = res && n->n_in > 4 ? n->x[4] : NULL;
    const ivl_tensor *scale = res && n->n_in > 5 ? n->x[5] : NULL;
    int64_t per_sample = scale ? ivl_rows(n->x[0]) / ivl_numel(scale) : 1;
    for (int64_t j = 0; j < cols; j++) {
        REAL y = v[j];
        if (n->op != IVL_OP_linear) y = ref_round(n->x[0]->dtype, y);
        if (z) put(z, cols, r, j, y, ivl_adds(n, 1));
        if (n->op == IVL_OP_linear_gelu) y = gelu(y);
        if (ls) y *= ref_at(ls, j);
        if (scale) y *= ref_at(scale, r / per_sample);
        if (res) y += ref_get(res, r, j);
        put(n->y[0], cols, r, j, y, ivl_adds(n, 0));
    }
}

static ivl_status linear(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0], *w = n->x[1], *b = n->n_in > 2 ? n->x[2] : NULL;
    int64_t rows = ivl_rows(x), k = ivl_cols(x), cols = w->dim[0];
    REAL *a = dense(x, false), *wt = dense(w, true), *y = ref_alloc(cols);
    bool ok = a && wt && y;
    for (int64_t r = 0; ok && r < rows; r++) {
        product_row(a, wt, r, k, cols, y);
        for (int64_t j = 0; b && j < cols; j++) y[j] += ref_at(b, j);
        finish_row(n, r, cols, y);
    }
    free(a), free(wt), free(y);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

ivl_status REF(linear)(const ivl_node *n) { return linear(n); }
ivl_status REF(linear_gelu)(const ivl_node *n) { return linear(n); }
ivl_status REF(linear_residual)(const ivl_node *n) { return linear(n); }

ivl_status REF(matmul)(const ivl_node *n)
{
    const ivl_matmul_attr *t = n->attr;
    int64_t m = t->ta ? ivl_cols(n->x[0]) : ivl_rows(n->x[0]), k = ivl_numel(n->x[0]) / (m ? m : 1);
    int64_t cols = t->tb ? ivl_rows(n->x[1]) : ivl_cols(n->x[1]);
    REAL *a = dense(n->x[0], t->ta), *b = dense(n->x[1], t->tb), *y = ref_alloc(cols);
    bool ok = a && b && y;
    for (int64_t r = 0; ok && r < m; r++) {
        product_row(a, b, r, k, cols, y);
        for (int64_t j = 0; j < cols; j++) put(n->y[0], cols, r, j, y[j], ivl_adds(n, 0));
    }
    free(a), free(b), free(y);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

ivl_status REF(linear_bwd_b)(const ivl_node *n)
{
    const ivl_tensor *dy = n->x[0];
    int64_t rows = ivl_rows(dy), cols = ivl_cols(dy);
    REAL *sum = ref_alloc(2 * cols);
    IVL_CHECK(sum, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        ref_row(dy, r, sum + cols);
        for (int64_t j = 0; j < cols; j++) sum[j] += sum[cols + j];
    }
    for (int64_t j = 0; j < cols; j++) put(n->y[0], cols, 0, j, sum[j], ivl_adds(n, 0));
    free(sum);
    return IVL_OK;
}
