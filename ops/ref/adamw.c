#include "ops/ref/ref.h"

static REAL root(REAL v) { return (REAL)sqrt((double)v); }

ivl_status REF(adamw)(const ivl_node *n)
{
    const ivl_adamw_attr *a = n->attr;
    const ivl_tensor *p = n->x[0], *m = n->x[2], *v = n->x[3], *norm = n->x[5];
    const REAL b1 = (REAL)a->beta1, b2 = (REAL)a->beta2, eps = (REAL)a->eps;
    REAL lr = ref_at(n->x[4], 0), wd = ref_at(n->x[4], 1), bc1 = ref_at(n->x[4], 2), bc2 = ref_at(n->x[4], 3),
         scale = 1;
    if (norm) {
        REAL sq = ref_at(norm, 0);
        if (!isfinite(sq)) return IVL_OK;
        REAL limit = (REAL)a->clip / (root(sq) + (REAL)1e-6);
        if (a->clip > 0 && limit < 1) scale = limit;
    }
    for (int64_t i = 0, count = ivl_numel(p); i < count; i++) {
        REAL g = ref_at(n->x[1], i) * scale;
        REAL m1 = b1 * ref_at(m, i) + (REAL)(1 - a->beta1) * g,
             v1 = b2 * ref_at(v, i) + (REAL)(1 - a->beta2) * g * g;
        ref_put(m, 0, i, m1, false);
        ref_put(v, 0, i, v1, false);
        ref_put(p, 0, i, ref_at(p, i) * (1 - lr * wd) - lr * (m1 / bc1) / (root(v1 / bc2) + eps), false);
    }
    return IVL_OK;
}
