/* gather_rows: one group per row. An index out of range is clamped, so that no launch leaves its tensors. */
#include "dialect.h"
#include "rows.h"

DEVICE int row_of(GLOBAL const int *index, IDX b, int tokens)
{
    int i = index[b];
    return i < 0 ? 0 : i < tokens ? i : tokens - 1;
}

KERNEL WG(WG_SIZE) void gather_rows_fwd(TENSOR_IN(x), TENSOR_IN_AS(int, index), TENSOR_OUT(y), int tokens,
                                        int cols)
{
    BEGIN(x); BEGIN(index); BEGIN(y);
    IDX b = GROUP(0);
    x += (b * tokens + row_of(index, b, tokens)) * x_pitch;
    y += b * y_pitch;
    EACH_COLUMN(i, cols) y[i] = x[i];
}

/* Every row: dy where it was gathered, 0 elsewhere. */
KERNEL WG(WG_SIZE) void gather_rows_bwd(TENSOR_IN(dy), TENSOR_IN_AS(int, index), TENSOR_OUT(dx), int tokens,
                                        int cols)
{
    BEGIN(dy); BEGIN(index); BEGIN(dx);
    IDX t = GROUP(0), b = GROUP(1);
    dx += (b * tokens + t) * dx_pitch;
    dy += b * dy_pitch;
    if (t == row_of(index, b, tokens))
        EACH_COLUMN(i, cols) dx[i] = dy[i];
    else
        EACH_COLUMN(i, cols) dx[i] = 0;
}

/* Only the gathered rows are touched. */
KERNEL WG(WG_SIZE) void gather_rows_bwd_add(TENSOR_IN(dy), TENSOR_IN_AS(int, index), TENSOR_OUT(dx),
                                            int tokens, int cols)
{
    BEGIN(dy); BEGIN(index); BEGIN(dx);
    IDX b = GROUP(0);
    dx += (b * tokens + row_of(index, b, tokens)) * dx_pitch;
    dy += b * dy_pitch;
    EACH_COLUMN(i, cols) put1(dx, i, load1(dy, i), 1);
}
