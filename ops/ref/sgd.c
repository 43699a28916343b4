#include "ops/ref/ref.h"

ivl_status REF(sgd)(const ivl_node *n)
{
    const ivl_sgd_attr *a = n->attr;
    const ivl_tensor *p = n->x[0], *m = n->x[2], *norm = n->x[4];
    const REAL momentum = (REAL)a->momentum;
    REAL lr = ref_at(n->x[3], 0), decay = ref_at(n->x[3], 1), scale = 1;
    if (norm) {
        REAL sq = ref_at(norm, 0);
        if (!isfinite(sq)) return IVL_OK;
        REAL limit = (REAL)a->clip / ((REAL)sqrt((double)sq) + (REAL)1e-6);
        if (a->clip > 0 && limit < 1) scale = limit;
    }
    for (int64_t i = 0, count = ivl_numel(p); i < count; i++) {
        REAL v = momentum * ref_at(m, i) + (ref_at(n->x[1], i) * scale + decay * ref_at(p, i));
        ref_put(m, 0, i, v, false);
        ref_put(p, 0, i, ref_at(p, i) - lr * v, false);
    }
    return IVL_OK;
}
