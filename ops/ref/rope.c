#include "ops/ref/ref.h"
#include "ops/rope.h"

ivl_status REF(rope)(const ivl_node *n)
{
    const ivl_rope_attr *a = n->attr;
    const ivl_tensor *x = n->x[0], *y = n->y[0];
    int64_t rows = ivl_rows(x), len = x->dim[x->rank - 2];
    int dim = (int)(ivl_cols(x) / a->heads), half = dim / 2;
    for (int64_t r = 0; r < rows; r++) {
        float pos = (float)(n->x[1] ? ref_int(n->x[1], r) : (int32_t)(r % len));
        for (int i = 0; i < half; i++) {
            float angle = pos * ivl_rope_frequency(a->theta, i, dim);
            REAL c = (REAL)(float)cos((double)angle), s = (REAL)(float)sin((double)angle);
            if (a->inverse) s = -s;
            for (int h = 0; h < a->heads; h++) {
                int64_t at = (int64_t)h * dim + (a->adjacent ? 2 * i : i), to = at + (a->adjacent ? 1 : half);
                REAL u = ref_get(x, r, at), v = ref_get(x, r, to);
                ref_put(y, r, at, u * c - v * s, ivl_adds(n, 0));
                ref_put(y, r, to, v * c + u * s, ivl_adds(n, 0));
            }
        }
    }
    return IVL_OK;
}
