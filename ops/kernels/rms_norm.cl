/* rms_norm: one group per row; lane l owns columns l*VEC .. of every WG_SIZE*VEC. */
#include "dialect.h"

KERNEL WG(WG_SIZE) void rms_norm_fwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_OUT(y), TENSOR_OUT_AS(float, rstd), int cols,
                                     float eps)
{
#if WG_SIZE > 1
    LOCAL float tmp[WG_SIZE];
#else
    LOCAL float *tmp = 0;
#endif
    BEGIN(x); BEGIN(w); BEGIN(y); BEGIN(rstd);
    int row = GROUP(0);
    x += row * x_pitch;
    y += row * y_pitch;
    float a[VEC];
    for (int v = 0; v < VEC; v++) a[v] = 0;
    int i = LID * VEC;
    for (; i + VEC <= cols; i += WG_SIZE * VEC)
        for (int v = 0; v < VEC; v++) { float t = load1(x, i + v); a[v] += t * t; }
    for (int v = 0; i + v < cols && v < VEC; v++) { float t = load1(x, i + v); a[v] += t * t; }
    float r = 1.0f / SQRT(group_sum(vec_sum(a), tmp) / (float)cols + eps);
    for (i = LID * VEC; i + VEC <= cols; i += WG_SIZE * VEC)
        for (int v = 0; v < VEC; v++) store1(y, i + v, load1(x, i + v) * r * load1(w, i + v));
    for (int v = 0; i + v < cols && v < VEC; v++) store1(y, i + v, load1(x, i + v) * r * load1(w, i + v));
    if (LID == 0) rstd[row] = r;
}

KERNEL WG(WG_SIZE) void rms_norm_bwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_IN_AS(float, rstd), TENSOR_IN(dy), TENSOR_OUT(dx),
                                     int cols, int add)
{
#if WG_SIZE > 1
    LOCAL float tmp[WG_SIZE];
#else
    LOCAL float *tmp = 0;
#endif
    BEGIN(x); BEGIN(w); BEGIN(rstd); BEGIN(dy); BEGIN(dx);
    int row = GROUP(0);
    x += row * x_pitch;
    dy += row * dy_pitch;
    dx += row * dx_pitch;
    float a[VEC];
    for (int v = 0; v < VEC; v++) a[v] = 0;
    int i = LID * VEC;
    for (; i + VEC <= cols; i += WG_SIZE * VEC)
        for (int v = 0; v < VEC; v++) a[v] += load1(dy, i + v) * load1(w, i + v) * load1(x, i + v);
    for (int v = 0; i + v < cols && v < VEC; v++) a[v] += load1(dy, i + v) * load1(w, i + v) * load1(x, i + v);
    float r = rstd[row], dot = group_sum(vec_sum(a), tmp) * r * r / (float)cols;
    for (i = LID * VEC; i + VEC <= cols; i += WG_SIZE * VEC)
        for (int v = 0; v < VEC; v++)
            put1(dx, i + v, r * (load1(dy, i + v) * load1(w, i + v) - load1(x, i + v) * dot), add);
    for (int v = 0; i + v < cols && v < VEC; v++)
        put1(dx, i + v, r * (load1(dy, i + v) * load1(w, i + v) - load1(x, i + v) * dot), add);
}

/* partial[chunk, cols]: the rows of one chunk, summed; axis 0 of groups walks columns, axis 1 chunks. */
KERNEL WG(WG_SIZE) void rms_norm_bwd_w(TENSOR_IN(x), TENSOR_IN_AS(float, rstd), TENSOR_IN(dy), BUFFER(float, partial),
                                       int rows, int cols, int chunks)
{
    BEGIN(x); BEGIN(rstd); BEGIN(dy); BEGIN(partial);
    int at = (GROUP(0) * WG_SIZE + LID) * VEC, chunk = GROUP(1), n = cols - at < VEC ? cols - at : VEC;
    int per = (rows + chunks - 1) / chunks, end = (chunk + 1) * per < rows ? (chunk + 1) * per : rows;
    float a[VEC];
    for (int v = 0; v < VEC; v++) a[v] = 0;
    for (int r = chunk * per; r < end; r++) {
        GLOBAL const T *xr = x + r * x_pitch + at, *dr = dy + r * dy_pitch + at;
        float s = rstd[r];
        if (n == VEC)
            for (int v = 0; v < VEC; v++) a[v] += load1(dr, v) * load1(xr, v) * s;
        else
            for (int v = 0; v < n; v++) a[v] += load1(dr, v) * load1(xr, v) * s;
    }
    for (int v = 0; v < n; v++) partial[(IDX)chunk * cols + at + v] = a[v];
}

KERNEL WG(WG_SIZE) void rms_norm_bwd_w_sum(BUFFER(const float, partial), TENSOR_OUT_AS(float, dw), int cols, int chunks,
                                           int add)
{
    BEGIN(partial); BEGIN(dw);
    int at = (GROUP(0) * WG_SIZE + LID) * VEC;
    for (int v = 0; v < VEC && at + v < cols; v++) {
        float s = 0;
        for (int c = 0; c < chunks; c++) s += partial[(IDX)c * cols + at + v];
        put_f(dw, at + v, s, add);
    }
}
