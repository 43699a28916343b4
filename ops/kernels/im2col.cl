/* im2col: one group per token; axis 1 walks the batch. Neighbour q of nine lies at row q / 3 - 1, column q % 3 - 1. */
#include "dialect.h"
#include "rows.h"

/* Where neighbour q of token t (on the other side: back) begins in a map of rows `pitch` apart; -1 beyond the edges. */
DEVICE IDX neighbour(int t, int q, int back, int h, int w, IDX pitch)
{
    int down = back ? 1 - q / 3 : q / 3 - 1, right = back ? 1 - q % 3 : q % 3 - 1;
    int r = t / w + down, c = t % w + right;
    return r >= 0 && r < h && c >= 0 && c < w ? ((IDX)r * w + c) * pitch : -1;
}

KERNEL WG(WG_SIZE) void im2col_fwd(TENSOR_IN(x), TENSOR_OUT(y), int h, int w, int cols)
{
    BEGIN(x); BEGIN(y);
    int t = GROUP(0);
    IDX b = GROUP(1), from[9];
    x += b * h * w * x_pitch;
    y += (b * h * w + t) * y_pitch;
    for (int q = 0; q < 9; q++) from[q] = neighbour(t, q, 0, h, w, x_pitch);
    EACH_COLUMN(i, cols)
        for (int q = 0; q < 9; q++) store1(y, 9 * i + q, from[q] >= 0 ? load1(x, from[q] + i) : 0.0f);
}

KERNEL WG(WG_SIZE) void im2col_bwd(TENSOR_IN(dy), TENSOR_OUT(dx), int h, int w, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    int t = GROUP(0);
    IDX b = GROUP(1), from[9];
    dy += b * h * w * dy_pitch;
    dx += (b * h * w + t) * dx_pitch;
    for (int q = 0; q < 9; q++) from[q] = neighbour(t, q, 1, h, w, dy_pitch);
    EACH_COLUMN(i, cols) {
        float sum = 0;
        for (int q = 0; q < 9; q++)
            if (from[q] >= 0) sum += load1(dy, from[q] + 9 * i + q);
        put1(dx, i, sum, add);
    }
}
