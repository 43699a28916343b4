/* sgd: one pass over p, m and the gradient; the rates are read on the device. */
#include "dialect.h"

KERNEL WG(WG_SIZE) void sgd(TENSOR_OUT_AS(float, p), TENSOR_IN_AS(float, grad), TENSOR_OUT_AS(float, m),
                            TENSOR_IN_AS(float, hyper), TENSOR_IN_AS(float, sq_norm), IDX count, float momentum,
                            float clip, int has_norm)
{
    BEGIN(p); BEGIN(grad); BEGIN(m); BEGIN(hyper); BEGIN(sq_norm);
    float lr = hyper[0], decay = hyper[1], scale = 1;
    if (has_norm) {
        if (!ISFINITE(sq_norm[0])) return;
        if (clip > 0) scale = FMIN(1.0f, clip / (SQRT(sq_norm[0]) + 1e-6f));
    }
    IDX from = (IDX)GROUP(0) * (WG_SIZE * VEC), to = from + WG_SIZE * VEC < count ? from + WG_SIZE * VEC : count;
    for (IDX i = from + LID; i < to; i += WG_SIZE) {
        float v = momentum * m[i] + (grad[i] * scale + decay * p[i]);
        m[i] = v;
        p[i] -= lr * v;
    }
}
