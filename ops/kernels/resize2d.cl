/* resize2d: one group per token of the output; axis 1 walks the batch. */
#include "dialect.h"
#include "rows.h"

/* Where cell i of n_to looks in a side of n: cells *k and *k2, the second with weight *f. */
DEVICE void look(int i, int n, int n_to, int *k, int *k2, float *f)
{
    int num = (2 * i + 1) * n - n_to;
    if (num < 0) num = 0;
    *k = num / (2 * n_to);
    *k2 = *k + 1 < n ? *k + 1 : n - 1;
    *f = (float)(num % (2 * n_to)) / (float)(2 * n_to);
}

/* How much cell i of n_to took from cell k of n. */
DEVICE float took(int i, int k, int n, int n_to)
{
    int a, b;
    float f;
    look(i, n, n_to, &a, &b, &f);
    return (a == k ? 1.0f - f : 0.0f) + (b == k ? f : 0.0f);
}

/* Cells of n_to that may have looked at cell k of n: [*from, *to). */
DEVICE void lookers(int k, int n, int n_to, int *from, int *to)
{
    int a = k > 0 ? ((2 * k - 1) * n_to / n - 1) / 2 : 0, b = k + 1 < n ? ((2 * k + 3) * n_to / n + 1) / 2 + 1 : n_to;
    *from = a < 0 ? 0 : a;
    *to = b > n_to ? n_to : b;
}

KERNEL WG(WG_SIZE) void resize2d_fwd(TENSOR_IN(x), TENSOR_OUT(y), int h, int w, int to_h, int to_w, int cols)
{
    BEGIN(x); BEGIN(y);
    int t = GROUP(0), r, r2, c, c2;
    float fr, fc;
    IDX b = GROUP(1);
    look(t / to_w, h, to_h, &r, &r2, &fr);
    look(t % to_w, w, to_w, &c, &c2, &fc);
    x += b * h * w * x_pitch;
    y += (b * to_h * to_w + t) * y_pitch;
    GLOBAL const T *p00 = x + ((IDX)r * w + c) * x_pitch, *p01 = x + ((IDX)r * w + c2) * x_pitch,
                   *p10 = x + ((IDX)r2 * w + c) * x_pitch, *p11 = x + ((IDX)r2 * w + c2) * x_pitch;
    EACH_COLUMN(i, cols)
        store1(y, i, (1 - fr) * ((1 - fc) * load1(p00, i) + fc * load1(p01, i)) +
                         fr * ((1 - fc) * load1(p10, i) + fc * load1(p11, i)));
}

KERNEL WG(WG_SIZE) void resize2d_bwd(TENSOR_IN(dy), TENSOR_OUT(dx), int h, int w, int to_h, int to_w, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    int t = GROUP(0), r0, r1, c0, c1;
    IDX b = GROUP(1);
    lookers(t / w, h, to_h, &r0, &r1);
    lookers(t % w, w, to_w, &c0, &c1);
    dy += b * to_h * to_w * dy_pitch;
    dx += (b * h * w + t) * dx_pitch;
    for (int from = LID; from < cols; from += WG_SIZE * VEC) {
        float sum[VEC];
        for (int v = 0; v < VEC; v++) sum[v] = 0;
        for (int r = r0; r < r1; r++) {
            float fr = took(r, t / w, h, to_h);
            for (int c = c0; c < c1; c++) {
                float f = fr * took(c, t % w, w, to_w);
                GLOBAL const T *p = dy + ((IDX)r * to_w + c) * dy_pitch;
                for (int v = 0, i = from; v < VEC && i < cols; v++, i += WG_SIZE) sum[v] += f * load1(p, i);
            }
        }
        for (int v = 0, i = from; v < VEC && i < cols; v++, i += WG_SIZE) put1(dx, i, sum[v], add);
    }
}
