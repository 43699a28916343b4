/* concat: one group per row; an input of a single row (moves 0) is read again for every one. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void concat_fwd(TENSOR_IN(a), TENSOR_IN(b), TENSOR_OUT(y), int ka, int kb, int moves_a, int moves_b)
{
    BEGIN(a); BEGIN(b); BEGIN(y);
    IDX r = GROUP(0);
    a += r * moves_a * a_pitch;
    b += r * moves_b * b_pitch;
    y += r * y_pitch;
    EACH_COLUMN(i, ka) y[i] = a[i];
    y += ka;
    EACH_COLUMN(i, kb) y[i] = b[i];
}
