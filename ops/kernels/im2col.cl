/* im2col: one group per token; axis 1 walks the batch. Neighbour q of nine lies at row q / 3 - 1, column q % 3 - 1. */
#include "dialect.h"
#include "rows.h"

/* Whether token t of h x w has a cell `rows` below and `cols` to the right. */
DEVICE int inside(int t, int rows, int cols, int h, int w)
{
    int r = t / w + rows, c = t % w + cols;
    return r >= 0 && r < h && c >= 0 && c < w;
}

KERNEL WG(WG_SIZE) void im2col_fwd(TENSOR_IN(x), TENSOR_OUT(y), int h, int w, int cols)
{
    BEGIN(x); BEGIN(y);
    int t = GROUP(0);
    IDX row = (IDX)GROUP(1) * h * w + t;
    y += row * y_pitch;
    for (int q = 0; q < 9; q++) {
        int down = q / 3 - 1, right = q % 3 - 1, has = inside(t, down, right, h, w);
        GLOBAL const T *p = x + (has ? row + down * w + right : row) * x_pitch;
        EACH_COLUMN(i, cols) store1(y, 9 * i + q, has ? load1(p, i) : 0.0f);
    }
}

KERNEL WG(WG_SIZE) void im2col_bwd(TENSOR_IN(dy), TENSOR_OUT(dx), int h, int w, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    int t = GROUP(0);
    IDX row = (IDX)GROUP(1) * h * w + t;
    dx += row * dx_pitch;
    EACH_COLUMN(i, cols) {
        float sum = 0;
        for (int q = 0; q < 9; q++) {
            int down = q / 3 - 1, right = q % 3 - 1;
            if (inside(t, -down, -right, h, w)) sum += load1(dy, (row - down * w - right) * dy_pitch + 9 * i + q);
        }
        put1(dx, i, sum, add);
    }
}
