/* adamw: one pass over p, m, v and the gradient; the step's scalars are read on the device. */
#include "dialect.h"

KERNEL WG(WG_SIZE) void adamw(TENSOR_OUT_AS(float, p), TENSOR_IN_AS(float, grad), TENSOR_OUT_AS(float, m),
                              TENSOR_OUT_AS(float, v), TENSOR_IN_AS(float, hyper),
                              TENSOR_IN_AS(float, sq_norm), IDX count, float beta1, float beta2, float rest1,
                              float rest2, float eps, float clip, int has_norm)
{
    BEGIN(p); BEGIN(grad); BEGIN(m); BEGIN(v); BEGIN(hyper); BEGIN(sq_norm);
    float lr = hyper[0], keep = 1.0f - lr * hyper[1], step = lr / hyper[2], inv2 = 1.0f / hyper[3], scale = 1;
    if (has_norm) {
        if (!ISFINITE(sq_norm[0])) return;
        if (clip > 0) scale = FMIN(1.0f, clip / (SQRT(sq_norm[0]) + 1e-6f));
    }
    IDX from = (IDX)GROUP(0) * (WG_SIZE * VEC),
        to = from + WG_SIZE * VEC < count ? from + WG_SIZE * VEC : count;
    for (IDX i = from + LID; i < to; i += WG_SIZE) {
        float g = grad[i] * scale;
        float m1 = beta1 * m[i] + rest1 * g, v1 = beta2 * v[i] + rest2 * (g * g);
        m[i] = m1;
        v[i] = v1;
        p[i] = p[i] * keep - step * m1 / (SQRT(v1 * inv2) + eps);
    }
}
