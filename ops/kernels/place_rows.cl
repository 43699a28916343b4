/* place_rows: one group per row. An index past the end counts as none, so that no launch leaves its tensors. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void place_rows_fwd(TENSOR_IN(x), TENSOR_IN(rows), TENSOR_IN_AS(int, index), TENSOR_OUT(y),
                                       int count, int cols)
{
    BEGIN(x); BEGIN(rows); BEGIN(index); BEGIN(y);
    IDX r = GROUP(0);
    int from = index[r];
    y += r * y_pitch;
    x += r * x_pitch;
    if (from >= 0 && from < count) {
        rows += (IDX)from * rows_pitch;
        EACH_COLUMN(i, cols) y[i] = rows[i];
    } else {
        EACH_COLUMN(i, cols) y[i] = x[i];
    }
}

/* Gradient of the placed rows (placed 1: index tells where each went) or of x (0: of the rows that stayed). */
KERNEL WG(WG_SIZE) void place_rows_bwd(TENSOR_IN(dy), TENSOR_IN_AS(int, index), TENSOR_OUT(dx), int count, int cols,
                                       int placed, int add)
{
    BEGIN(dy); BEGIN(index); BEGIN(dx);
    IDX r = GROUP(0);
    int at = index[r];
    if (!placed) at = at < 0 ? (int)r : -1;
    dx += r * dx_pitch;
    if (at >= 0 && at < count) {
        dy += (IDX)at * dy_pitch;
        EACH_COLUMN(i, cols) put1(dx, i, load1(dy, i), add);
    } else if (!add) {
        EACH_COLUMN(i, cols) store1(dx, i, 0);
    }
}
