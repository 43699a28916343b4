#include "dialect.h"
#include "flat.h"

/* NaN stays. */
DEVICE float relu_f(float x) { return x < 0.0f ? 0.0f : x; }

KERNEL WG(WG_SIZE) void relu_fwd(TENSOR_IN(x), TENSOR_OUT(y), SPAN)
{
    BEGIN(x); BEGIN(y);
    EACH_ROW(r) EACH_COL(c) store1(ROW(y, r), c, relu_f(load1(ROW(x, r), c)));
}

KERNEL WG(WG_SIZE) void relu_bwd(TENSOR_IN(y), TENSOR_IN(dy), TENSOR_OUT(dx), SPAN, int add)
{
    BEGIN(y); BEGIN(dy); BEGIN(dx);
    EACH_ROW(r) EACH_COL(c) put1(ROW(dx, r), c, load1(ROW(y, r), c) > 0.0f ? load1(ROW(dy, r), c) : 0.0f, add);
}
