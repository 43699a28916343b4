#include "ops/ref/ref.h"

/* Pixel (channel, row, column) of image b, normalised. */
static REAL pixel(const ivl_node *n, int64_t b, int c, int64_t y, int64_t x)
{
    const ivl_patchify_attr *a = n->attr;
    const ivl_tensor *px = n->x[0];
    if (px->dtype != IVL_U8) return ref_get(px, (b * 3 + c) * px->dim[2] + y, x);
    return (ref_get(px, (b * px->dim[1] + y) * px->dim[2] + x, c) / 255 - (REAL)a->mean[c]) / (REAL)a->std[c];
}

ivl_status REF(patchify)(const ivl_node *n)
{
    const ivl_patchify_attr *a = n->attr;
    const ivl_tensor *px = n->x[0], *y = n->y[0];
    bool bytes = px->dtype == IVL_U8;
    int64_t p = a->patch, across = px->dim[bytes ? 2 : 3] / p, patches = px->dim[bytes ? 1 : 2] / p * across;
    int64_t kept = y->dim[1];
    for (int64_t r = 0; r < ivl_rows(y); r++) {
        int64_t at = n->x[1] ? ref_int(n->x[1], r) : r % kept;
        bool inside = at >= 0 && at < patches;
        for (int64_t i = 0; i < 3 * p * p; i++) {
            int64_t row = i / p % p, col = i % p;
            REAL v = inside ? pixel(n, r / kept, (int)(i / (p * p)), at / across * p + row, at % across * p + col) : 0;
            ref_put(y, r, i, v, false);
        }
    }
    return IVL_OK;
}
