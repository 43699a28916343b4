/* fill: the same bits everywhere; U is an unsigned integer of the element's size. */
#include "dialect.h"
#include "flat.h"

#ifdef U_8
typedef uchar U;
#elif defined(U_16)
typedef ushort U;
#else
typedef uint U;
#endif

KERNEL WG(WG_SIZE) void fill_fwd(TENSOR_OUT_AS(U, y), SPAN, int bits)
{
    BEGIN(y);
    EACH_ROW(r) EACH_COL(c) ROW(y, r)[c] = (U)bits;
}
