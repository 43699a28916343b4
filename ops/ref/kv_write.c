#include "ops/ref/ref.h"

ivl_status REF(kv_write)(const ivl_node *n)
{
    const ivl_tensor *cache = n->x[0], *x = n->x[1];
    int64_t copies = cache->dim[0] / x->dim[0], room = cache->dim[1];
    REAL *v = ref_alloc(x->dim[2]);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < x->dim[0]; b++)
        for (int64_t t = 0; t < x->dim[1]; t++) {
            int64_t at = ref_int(n->x[2], b) + t;
            if (at < 0 || at >= room) continue;
            ref_row(x, b * x->dim[1] + t, v);
            ref_put_row(cache, b * copies * room + at, v, false);
        }
    free(v);
    return IVL_OK;
}

ivl_status REF(kv_reorder)(const ivl_node *n)
{
    const ivl_tensor *cache = n->x[0];
    int64_t samples = cache->dim[0], room = cache->dim[1], cols = cache->dim[2];
    REAL *v = ref_alloc(samples * room * cols);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < samples * room; r++) ref_row(cache, r, v + r * cols);
    for (int64_t r = 0; r < samples; r++) {
        int64_t from = ref_int(n->x[1], r), len = ref_int(n->x[2], r);
        from = from < 0 ? 0 : from < samples ? from : samples - 1;
        for (int64_t t = 0; t < room && t < len; t++)
            ref_put_row(cache, r * room + t, v + (from * room + t) * cols, false);
    }
    free(v);
    return IVL_OK;
}
