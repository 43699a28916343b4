/* rms_norm: one group per row; backward: a group per chunk of rows also sums the weight's gradient. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void rms_norm_fwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_OUT(y), TENSOR_OUT_AS(float, rstd),
                                     int cols, float eps, int want_rstd)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(w); BEGIN(y); BEGIN(rstd);
    IDX row = GROUP(0);
    x += row * x_pitch;
    y += row * y_pitch;
    float sum;
    ROW_SUM(sum, i, cols, tmp, load1(x, i) * load1(x, i));
    float r = 1.0f / SQRT(sum / (float)cols + eps);
    EACH_COLUMN(i, cols) store1(y, i, load1(x, i) * r * load1(w, i));
    if (want_rstd && LID == 0) rstd[row] = r;
}

/* partial[chunk, cols] = sum over the chunk's rows of dy x rstd. */
KERNEL WG(WG_SIZE) void rms_norm_bwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_IN_AS(float, rstd), TENSOR_IN(dy),
                                     TENSOR_OUT(dx), BUFFER(float, partial), int rows, int cols, int per,
                                     int want_x, int want_w, int add)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(w); BEGIN(rstd); BEGIN(dy); BEGIN(dx); BEGIN(partial);
    int first = GROUP(0) * per, last = first + per < rows ? first + per : rows;
    partial += (IDX)GROUP(0) * cols;
    if (want_w) EACH_COLUMN(i, cols) partial[i] = 0;
    for (IDX row = first; row < last; row++) {
        GLOBAL const T *xr = x + row * x_pitch, *dr = dy + row * dy_pitch;
        float r = rstd[row];
        if (want_x) {
            GLOBAL T *to = dx + row * dx_pitch;
            float dot;
            ROW_SUM(dot, i, cols, tmp, load1(dr, i) * load1(w, i) * load1(xr, i));
            dot *= r * r / (float)cols;
            EACH_COLUMN(i, cols) put1(to, i, r * (load1(dr, i) * load1(w, i) - load1(xr, i) * dot), add);
        }
        if (want_w) EACH_COLUMN(i, cols) partial[i] += load1(dr, i) * load1(xr, i) * r;
    }
}

COLUMN_SUM_KERNEL
