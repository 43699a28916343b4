/* layer_norm: one group per row; backward: a group per chunk of rows also sums the weights' gradients. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void layer_norm_fwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_IN(b), TENSOR_OUT(y),
                                       TENSOR_OUT_AS(float, mean), TENSOR_OUT_AS(float, rstd), int cols,
                                       float eps, int want_mean, int want_rstd)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(w); BEGIN(b); BEGIN(y); BEGIN(mean); BEGIN(rstd);
    IDX row = GROUP(0);
    x += row * x_pitch;
    y += row * y_pitch;
    float m, var;
    ROW_SUM(m, i, cols, tmp, load1(x, i));
    m /= (float)cols;
    ROW_SUM(var, i, cols, tmp, (load1(x, i) - m) * (load1(x, i) - m));
    float r = 1.0f / SQRT(var / (float)cols + eps);
    EACH_COLUMN(i, cols) store1(y, i, (load1(x, i) - m) * r * load1(w, i) + load1(b, i));
    if (want_mean && LID == 0) mean[row] = m;
    if (want_rstd && LID == 0) rstd[row] = r;
}

/* partial_w[chunk, cols] = sum over the chunk's rows of dy (x - mean) rstd; partial_b: of dy. */
KERNEL WG(WG_SIZE) void layer_norm_bwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_IN_AS(float, mean),
                                       TENSOR_IN_AS(float, rstd), TENSOR_IN(dy), TENSOR_OUT(dx),
                                       BUFFER(float, partial_w), BUFFER(float, partial_b), int rows, int cols,
                                       int per, int want_x, int want_w, int add)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(w); BEGIN(mean); BEGIN(rstd); BEGIN(dy); BEGIN(dx); BEGIN(partial_w); BEGIN(partial_b);
    int first = GROUP(0) * per, last = first + per < rows ? first + per : rows;
    partial_w += (IDX)GROUP(0) * cols;
    partial_b += (IDX)GROUP(0) * cols;
    if (want_w) EACH_COLUMN(i, cols) partial_w[i] = partial_b[i] = 0;
    for (IDX row = first; row < last; row++) {
        GLOBAL const T *xr = x + row * x_pitch, *dr = dy + row * dy_pitch;
        float r = rstd[row], m = mean[row];
        if (want_x) {
            GLOBAL T *to = dx + row * dx_pitch;
            float g, dot;
            ROW_SUM(g, i, cols, tmp, load1(dr, i) * load1(w, i));
            ROW_SUM(dot, i, cols, tmp, load1(dr, i) * load1(w, i) * (load1(xr, i) - m));
            g /= (float)cols;
            dot *= r * r / (float)cols;
            EACH_COLUMN(i, cols) put1(to, i, r * (load1(dr, i) * load1(w, i) - g - (load1(xr, i) - m) * dot), add);
        }
        if (want_w) EACH_COLUMN(i, cols) {
            partial_w[i] += load1(dr, i) * (load1(xr, i) - m) * r;
            partial_b[i] += load1(dr, i);
        }
    }
}

COLUMN_SUM_KERNEL
