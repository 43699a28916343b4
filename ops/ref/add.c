#include "ops/ref/ref.h"

ivl_status REF(add)(const ivl_node *n)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *a = ref_alloc(2 * cols), *b = a + cols;
    IVL_CHECK(a, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < rows; r++) {
        ref_row(n->x[0], r, a);
        ref_row(n->x[1], r, b);
        for (int64_t i = 0; i < cols; i++) a[i] += b[i];
        ref_put_row(n->y[0], r, a, false);
    }
    free(a);
    return IVL_OK;
}
