/* clamp: in place; NaN stays NaN, so that it is noticed. */
#include "dialect.h"

KERNEL WG(WG_SIZE) void clamp_flat(TENSOR_OUT(x), IDX count, float lo, float hi)
{
    BEGIN(x);
    IDX from = (IDX)GROUP(0) * (WG_SIZE * VEC),
        to = from + WG_SIZE * VEC < count ? from + WG_SIZE * VEC : count;
    for (IDX i = from + LID; i < to; i += WG_SIZE) {
        float v = load1(x, i);
        store1(x, i, v < lo ? lo : v > hi ? hi : v);
    }
}
