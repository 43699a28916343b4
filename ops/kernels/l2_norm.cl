/* l2_norm: one group per row. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void l2_norm_fwd(TENSOR_IN(x), TENSOR_OUT(y), TENSOR_OUT_AS(float, inv), int cols,
                                    int want_inv)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(y); BEGIN(inv);
    IDX row = GROUP(0);
    x += row * x_pitch;
    y += row * y_pitch;
    float sum;
    ROW_SUM(sum, i, cols, tmp, load1(x, i) * load1(x, i));
    float r = 1.0f / SQRT(sum);
    EACH_COLUMN(i, cols) store1(y, i, load1(x, i) * r);
    if (want_inv && LID == 0) inv[row] = r;
}

KERNEL WG(WG_SIZE) void l2_norm_bwd(TENSOR_IN(x), TENSOR_IN_AS(float, inv), TENSOR_IN(dy), TENSOR_OUT(dx),
                                    int cols, int add)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(inv); BEGIN(dy); BEGIN(dx);
    IDX row = GROUP(0);
    x += row * x_pitch;
    dy += row * dy_pitch;
    dx += row * dx_pitch;
    float r = inv[row], dot;
    ROW_SUM(dot, i, cols, tmp, load1(dy, i) * load1(x, i));
    dot *= r * r;
    EACH_COLUMN(i, cols) put1(dx, i, r * (load1(dy, i) - load1(x, i) * dot), add);
}
