/* avg_pool: one group per token of the output, forward and backward; axis 1 walks the batch. */
#include "dialect.h"
#include "rows.h"

/* Cells [*from, *to) of n under cell i of n_to; the other way round: the bins that a cell is in. */
DEVICE void bin(int i, int n, int n_to, int *from, int *to)
{
    *from = i * n / n_to;
    *to = ((i + 1) * n + n_to - 1) / n_to;
}

KERNEL WG(WG_SIZE) void avg_pool_fwd(TENSOR_IN(x), TENSOR_OUT(y), int h, int w, int to_h, int to_w, int cols)
{
    BEGIN(x); BEGIN(y);
    int t = GROUP(0), r0, r1, c0, c1;
    IDX b = GROUP(1);
    bin(t / to_w, h, to_h, &r0, &r1);
    bin(t % to_w, w, to_w, &c0, &c1);
    x += b * h * w * x_pitch;
    y += (b * to_h * to_w + t) * y_pitch;
    EACH_COLUMN(i, cols) {
        float sum = 0;
        for (int r = r0; r < r1; r++)
            for (int c = c0; c < c1; c++) sum += load1(x, ((IDX)r * w + c) * x_pitch + i);
        store1(y, i, sum / (float)((r1 - r0) * (c1 - c0)));
    }
}

KERNEL WG(WG_SIZE) void avg_pool_bwd(TENSOR_IN(dy), TENSOR_OUT(dx), int h, int w, int to_h, int to_w, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    int t = GROUP(0), r0, r1, c0, c1;
    IDX b = GROUP(1);
    bin(t / w, to_h, h, &r0, &r1);
    bin(t % w, to_w, w, &c0, &c1);
    dy += b * to_h * to_w * dy_pitch;
    dx += (b * h * w + t) * dx_pitch;
    EACH_COLUMN(i, cols) {
        float sum = 0;
        for (int r = r0; r < r1; r++)
            for (int c = c0; c < c1; c++) {
                int up, down, left, right;
                bin(r, h, to_h, &up, &down);
                bin(c, w, to_w, &left, &right);
                sum += load1(dy, ((IDX)r * to_w + c) * dy_pitch + i) / (float)((down - up) * (right - left));
            }
        put1(dx, i, sum, add);
    }
}
