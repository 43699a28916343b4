#include "ops/ref/ref.h"

ivl_status REF(clamp)(const ivl_node *n)
{
    const ivl_clamp_attr *a = n->attr;
    const REAL lo = (REAL)a->lo, hi = (REAL)a->hi;
    for (int64_t i = 0, count = ivl_numel(n->x[0]); i < count; i++) {
        REAL v = ref_at(n->x[0], i);
        ref_put(n->x[0], 0, i, v < lo ? lo : v > hi ? hi : v, false);
    }
    return IVL_OK;
}
