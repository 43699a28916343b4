#include "dialect.h"
#include "flat.h"

KERNEL WG(WG_SIZE) void add_fwd(TENSOR_IN(a), TENSOR_IN(b), TENSOR_OUT(y), SPAN)
{
    BEGIN(a); BEGIN(b); BEGIN(y);
    EACH_ROW(r) EACH_COL(c) store1(ROW(y, r), c, load1(ROW(a, r), c) + load1(ROW(b, r), c));
}
