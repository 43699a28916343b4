#include "dialect.h"
#include "flat.h"
#include "math.h"

KERNEL WG(WG_SIZE) void gelu_fwd(TENSOR_IN(x), TENSOR_OUT(y), SPAN)
{
    BEGIN(x); BEGIN(y);
    EACH_ROW(r) EACH_COL(c) store1(ROW(y, r), c, gelu_f(load1(ROW(x, r), c)));
}

KERNEL WG(WG_SIZE) void gelu_bwd(TENSOR_IN(x), TENSOR_IN(dy), TENSOR_OUT(dx), SPAN, int add)
{
    BEGIN(x); BEGIN(dy); BEGIN(dx);
    EACH_ROW(r) EACH_COL(c) put1(ROW(dx, r), c, load1(ROW(dy, r), c) * gelu_grad_f(load1(ROW(x, r), c)), add);
}
