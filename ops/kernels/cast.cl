/* cast: T to O, stored or added. */
#include "dialect.h"
#include "flat.h"

KERNEL WG(WG_SIZE) void cast_fwd(TENSOR_IN(x), TENSOR_OUT_AS(O, y), SPAN, int add)
{
    BEGIN(x); BEGIN(y);
    if (add)
        EACH_ROW(r) EACH_COL(c) put_o(ROW(y, r), c, load1(ROW(x, r), c), 1);
    else
        EACH_ROW(r) EACH_COL(c) store_o(ROW(y, r), c, load1(ROW(x, r), c));
}
