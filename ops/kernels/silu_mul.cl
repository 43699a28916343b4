#include "dialect.h"
#include "flat.h"
#include "math.h"

KERNEL WG(WG_SIZE) void silu_mul_fwd(TENSOR_IN(gate), TENSOR_IN(up), TENSOR_OUT(y), SPAN)
{
    BEGIN(gate); BEGIN(up); BEGIN(y);
    EACH_ROW(r) EACH_COL(c)
    {
        float g = load1(ROW(gate, r), c);
        store1(ROW(y, r), c, g * sigmoid_f(g) * load1(ROW(up, r), c));
    }
}

KERNEL WG(WG_SIZE) void silu_mul_bwd_gate(TENSOR_IN(gate), TENSOR_IN(up), TENSOR_IN(dy),
                                          TENSOR_OUT(dgate), SPAN, int add)
{
    BEGIN(gate); BEGIN(up); BEGIN(dy); BEGIN(dgate);
    EACH_ROW(r) EACH_COL(c)
    {
        float g = load1(ROW(gate, r), c), s = sigmoid_f(g);
        float d = load1(ROW(dy, r), c) * load1(ROW(up, r), c);
        put1(ROW(dgate, r), c, d * s * (1.0f + g * (1.0f - s)), add);
    }
}

KERNEL WG(WG_SIZE) void silu_mul_bwd_up(TENSOR_IN(gate), TENSOR_IN(dy), TENSOR_OUT(dup), SPAN, int add)
{
    BEGIN(gate); BEGIN(dy); BEGIN(dup);
    EACH_ROW(r) EACH_COL(c)
    {
        float g = load1(ROW(gate, r), c);
        put1(ROW(dup, r), c, load1(ROW(dy, r), c) * g * sigmoid_f(g), add);
    }
}
