/* depth_to_space: one group per token of the larger map; axis 1 walks the batch. */
#include "dialect.h"
#include "rows.h"

/* Token t of the larger map: its row of the smaller one (of `w` columns), and which of the four it is. */
#define FIND(t, w)                                                                                           \
    int r_ = (t) / (2 * (w)), c_ = (t) % (2 * (w)), which = (r_ & 1) * 2 + (c_ & 1);                         \
    IDX small = (IDX)(r_ / 2) * (w) + c_ / 2

KERNEL WG(WG_SIZE) void depth_to_space_fwd(TENSOR_IN(x), TENSOR_IN(b), TENSOR_OUT(y), int h, int w, int cols,
                                           int has_b)
{
    BEGIN(x); BEGIN(b); BEGIN(y);
    int t = GROUP(0);
    IDX batch = GROUP(1);
    FIND(t, w);
    x += (batch * h * w + small) * x_pitch + which;
    y += (batch * 4 * h * w + t) * y_pitch;
    EACH_COLUMN(i, cols) store1(y, i, load1(x, 4 * i) + (has_b ? load1(b, i) : 0.0f));
}

KERNEL WG(WG_SIZE) void depth_to_space_bwd(TENSOR_IN(dy), TENSOR_OUT(dx), int h, int w, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    int t = GROUP(0);
    IDX batch = GROUP(1);
    FIND(t, w);
    dy += (batch * 4 * h * w + t) * dy_pitch;
    dx += (batch * h * w + small) * dx_pitch + which;
    EACH_COLUMN(i, cols) put1(dx, 4 * i, load1(dy, i), add);
}
