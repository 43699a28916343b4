/* resize2d: one group per row of the output map; backward: per token of the output. Axis 1 walks the batch. */
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

/* Column i of token t of the row, between c and c2 of both rows. */
#define MIX(p, i) ((1 - fc) * load1(p, c * x_pitch + (i)) + fc * load1(p, c2 * x_pitch + (i)))
#define AT(t, i) store1(y, (t) * y_pitch + (i), (1 - fr) * MIX(upper, i) + fr * MIX(lower, i))

KERNEL WG(WG_SIZE) void resize2d_fwd(TENSOR_IN(x), TENSOR_OUT(y), int h, int w, int to_h, int to_w, int cols)
{
    BEGIN(x); BEGIN(y);
    int r, r2, c, c2;
    float fr, fc;
    IDX b = GROUP(1);
    look(GROUP(0), h, to_h, &r, &r2, &fr);
    y += (b * to_h + GROUP(0)) * to_w * y_pitch;
    GLOBAL const T *upper = x + (b * h + r) * w * x_pitch, *lower = x + (b * h + r2) * w * x_pitch;
#if WG_SIZE == 1
    for (int t = 0; t < to_w; t++) {
        look(t, w, to_w, &c, &c2, &fc);
        for (int i = 0; i < cols; i++) AT(t, i);
    }
#else
    /* few columns, the classes of a map, are not enough for a group */
    for (int k = LID; k < to_w * cols; k += WG_SIZE) {
        look(k / cols, w, to_w, &c, &c2, &fc);
        AT(k / cols, k % cols);
    }
#endif
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
