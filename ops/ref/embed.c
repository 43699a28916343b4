#include "ops/ref/ref.h"

static int64_t row_of(const ivl_tensor *ids, int64_t p, int64_t vocab)
{
    int64_t i = ref_int(ids, p);
    return i < 0 ? 0 : i < vocab ? i : vocab - 1;
}

ivl_status REF(embed)(const ivl_node *n)
{
    const ivl_tensor *table = n->x[0];
    int64_t count = ivl_numel(n->x[1]);
    REAL *v = ref_alloc(table->dim[1]);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t p = 0; p < count; p++) {
        ref_row(table, row_of(n->x[1], p, table->dim[0]), v);
        ref_put_row(n->y[0], p, v, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(embed_bwd)(const ivl_node *n)
{
    const ivl_tensor *dw = n->y[0];
    int64_t count = ivl_numel(n->x[0]);
    REAL *v = ref_alloc(dw->dim[1]);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    if (!ivl_adds(n, 0))
        for (int64_t r = 0; r < dw->dim[0]; r++) ref_put_row(dw, r, v, false);
    for (int64_t p = 0; p < count; p++) {
        ref_row(n->x[1], p, v);
        ref_put_row(dw, row_of(n->x[0], p, dw->dim[0]), v, true);
    }
    free(v);
    return IVL_OK;
}
