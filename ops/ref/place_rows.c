#include "ops/ref/ref.h"

ivl_status REF(place_rows)(const ivl_node *n)
{
    int64_t count = ivl_rows(n->x[1]);
    REAL *v = ref_alloc(ivl_cols(n->x[0]));
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++) {
        int64_t from = ref_int(n->x[2], r);
        bool placed = from >= 0 && from < count;
        ref_row(n->x[placed], placed ? from : r, v);
        ref_put_row(n->y[0], r, v, false);
    }
    free(v);
    return IVL_OK;
}

ivl_status REF(place_rows_bwd)(const ivl_node *n)
{
    int64_t count = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]);
    REAL *v = ref_alloc(cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < 2; i++)
        for (int64_t r = 0; n->y[i] && r < ivl_rows(n->y[i]); r++) {
            int64_t at = ref_int(n->x[1 + i], r);
            if (i == 0) at = at < 0 ? r : -1;
            for (int64_t c = 0; c < cols; c++) v[c] = at >= 0 && at < count ? ref_get(n->x[0], at, c) : 0;
            ref_put_row(n->y[i], r, v, ivl_adds(n, i));
        }
    free(v);
    return IVL_OK;
}
