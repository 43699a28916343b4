/* linear for few rows of x on CPUs, as in decoding: bound by reading the weight. A group owns some rows of w and goes
 * over them R at a time; weights are read once, straight on, as they are stored, and never copied:
 *
 *      k ->
 *   w  ======== R rows ========      lanes of VW partial sums for each of the M x R results,
 *   x  ======== M rows ========      summed at the end
 *
 * Sums are in another order than gemm_cpu.cl's. Among these kernels they are the same for any M, R and number of
 * groups, and for a quantised weight the same as for its values in f32. */
#include "dialect.h"
#include "math.h"
#include "rows.h"
#include "epilogue.h"
#include "tile.h"
#include "quant.h"

#ifndef M
#define M 1 /* rows of x */
#define R 4 /* rows of w at a time */
#endif

typedef struct operands { GLOBAL const T *x; GLOBAL const W *w; IDX x_pitch, w_pitch, w_off, ahead; } operands;

#ifdef W_QUANT
#define AT(p, i) ((GLOBAL const uchar *)W_BLOCK(p, i))
#else
#define AT(p, i) ((GLOBAL const uchar *)((p) + (i)))
#endif
#define EACH(v, n) UNROLL for (int v = 0; v < (n); v++)
#define PREFETCH(p) __builtin_prefetch((const void *)(ulong)(p))

/* Bytes of a row. */
#ifdef W_QUANT
#define ROW_BYTES(pitch) ((pitch) / 32 * W_BYTES)
#else
#define ROW_BYTES(pitch) ((pitch) * (IDX)sizeof(W))
#endif

/* How far ahead weights are fetched: whole steps of R rows, AHEAD bytes at least. Short rows end before hardware has
 * seen their direction. */
#define AHEAD 4096
DEVICE IDX ahead_of(IDX w_pitch)
{
    IDX step = R * ROW_BYTES(w_pitch);
    return step < 1 ? 0 : (AHEAD + step - 1) / step * step;
}

/* The first rows of a group, from row r on, before anything else is done. */
DEVICE void fetch(GLOBAL const W *w, IDX w_off, IDX w_pitch, int r)
{
    GLOBAL const uchar *p = AT(w, w_off + r * w_pitch);
    for (int i = 0; i < AHEAD; i += 64) PREFETCH(p + i);
}

/* s[r][m] += w[r] x[m] over k elements, or as many as go into whole steps; returns how many. */
#ifdef W_QUANT
DEVICE __attribute__((always_inline)) int steps(const operands *o, const IDX *w, int k, V s[R][M])
{
    enum { BLOCKS = 64 };
    float d[R][2 * BLOCKS];
    for (int b0 = 0; b0 < k / 32; b0 += BLOCKS) {
        int n = k / 32 - b0 < BLOCKS ? k / 32 - b0 : BLOCKS;
        GLOBAL const uchar *block[R];
        EACH(r, R) block[r] = W_BLOCK(o->w, w[r]) + (IDX)b0 * W_BYTES;
        EACH(r, R) scales_w(block[r], n, d[r]);
        for (int b = 0; b < n; b++) {
            V x[M][32 / VW];
            EACH(m, M) EACH(j, 32 / VW) x[m][j] = v_load_t(o->x + m * o->x_pitch + (b0 + b) * 32 + j * VW);
            EACH(r, R)
            {
                GLOBAL const uchar *q = block[r] + b * W_BYTES;
                PREFETCH(q + o->ahead);
                EACH(j, 32 / VW)
                {
                    V v = part_w(q, j, d[r][2 * b], d[r][2 * b + 1]);
                    EACH(m, M) s[r][m] += v * x[m][j];
                }
            }
        }
    }
    return k / 32 * 32;
}
#else
DEVICE __attribute__((always_inline)) int steps(const operands *o, const IDX *w, int k, V s[R][M])
{
    int i = 0;
    for (; i + VW <= k; i += VW) {
        V x[M];
        EACH(m, M) x[m] = v_load_t(o->x + m * o->x_pitch + i);
        EACH(r, R)
        {
            PREFETCH((GLOBAL const uchar *)(o->w + w[r] + i) + o->ahead);
            V v = v_load_t(o->w + w[r] + i);
            EACH(m, M) s[r][m] += v * x[m];
        }
    }
    return i;
}
#endif

/* Rows r0 .. r0 + R of w, of which n exist (others repeat the last). */
DEVICE __attribute__((always_inline)) void dot(const operands *o, int r0, int n, int k, float out[R][M])
{
    V s[R][M];
    IDX w[R];
    EACH(r, R) w[r] = o->w_off + (r0 + (r < n ? r : n - 1)) * o->w_pitch;
    EACH(r, R) EACH(m, M) s[r][m] = 0.0f;
    int done = steps(o, w, k, s);
    EACH(r, R) EACH(m, M)
    {
        float rest = 0;
        for (int j = done; j < k; j++) rest += load1(o->x, m * o->x_pitch + j) * load_w(o->w, w[r] + j);
        out[r][m] = v_sum(s[r][m]) + rest;
    }
}

KERNEL WG(1) void linear_few(TENSOR_IN(x), TENSOR_IN_AS(W, w), TENSOR_IN(bias), TENSOR_IN(res), TENSOR_IN(ls),
                             TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(O, y), TENSOR_OUT(z), int n, int k,
                             int per_sample, int flags)
{
    BEGIN(x); BEGIN(bias); BEGIN(res); BEGIN(ls); BEGIN(scale); BEGIN(y); BEGIN(z);
    operands o = { x, w, x_pitch, w_pitch, w_off, ahead_of(w_pitch) };
    epilogue e = { bias, res, ls, scale, y, z, res_pitch, y_pitch, z_pitch, flags, per_sample };
    int from = (int)((IDX)n * GROUP(0) / NUM_GROUPS(0)), to = (int)((IDX)n * (GROUP(0) + 1) / NUM_GROUPS(0));
    fetch(w, w_off, w_pitch, from);
    for (int r0 = from; r0 < to; r0 += R) {
        float v[R][M];
        int rows = to - r0 < R ? to - r0 : R;
        dot(&o, r0, rows, k, v);
        for (int r = 0; r < rows; r++)
            for (int m = 0; m < M; m++) finish(&e, m, r0 + r, v[r][m]);
    }
}

/* --- linears ---------------------------------------------------------------------------------------------------- */

/* One of them: rows of w, which are rows from `first` on of all of them, one below the other. */
typedef struct one { operands o; GLOBAL const T *bias; GLOBAL T *y; IDX y_pitch; int first, rows, has_bias; } one;

/* Of rows from .. to of all, those of this one. */
DEVICE void product(const one *p, int from, int to, int k)
{
    if (from < p->first) from = p->first;
    if (to > p->first + p->rows) to = p->first + p->rows;
    for (int r0 = from; r0 < to; r0 += R) {
        float v[R][M];
        int rows = to - r0 < R ? to - r0 : R, at = r0 - p->first;
        dot(&p->o, at, rows, k, v);
        for (int r = 0; r < rows; r++)
            for (int m = 0; m < M; m++)
                store1(p->y, m * p->y_pitch + at + r, p->has_bias ? v[r][m] + load1(p->bias, at + r) : v[r][m]);
    }
}

/* silu(gate) up of rows from .. to. */
DEVICE void gated_product(const one *gate, const one *up, int from, int to, int k)
{
    for (int r0 = from; r0 < to; r0 += R) {
        float g[R][M], u[R][M];
        int rows = to - r0 < R ? to - r0 : R;
        dot(&gate->o, r0, rows, k, g);
        dot(&up->o, r0, rows, k, u);
        for (int r = 0; r < rows; r++)
            for (int m = 0; m < M; m++) {
                float v = round_t(g[r][m]);
                store1(gate->y, m * gate->y_pitch + r0 + r, v * sigmoid_f(v) * round_t(u[r][m]));
            }
    }
}

/* h[M][k] = rms_norm(x) gain */
DEVICE void norm(GLOBAL const T *x, IDX x_pitch, GLOBAL const T *gain, int k, float eps, GLOBAL T *h)
{
    GROUP_TMP(tmp);
    for (int m = 0; m < M; m++, x += x_pitch, h += k) {
        float sum;
        ROW_SUM(sum, i, k, tmp, load1(x, i) * load1(x, i));
        float r = 1.0f / SQRT(sum / (float)k + eps);
        for (int i = 0; i < k; i++) store1(h, i, load1(x, i) * r * load1(gain, i));
    }
}

#define ONE(i) TENSOR_IN_AS(W, w##i), TENSOR_IN(b##i), TENSOR_OUT(y##i)
#define SET(i, before)                                                                                       \
    { { h, w##i, h_pitch, w##i##_pitch, w##i##_off, ahead_of(w##i##_pitch) }, b##i, y##i, y##i##_pitch,      \
      before, n##i, bias##i }

KERNEL WG(1) void linears_few(TENSOR_IN(x), TENSOR_IN(gain), ONE(0), ONE(1), ONE(2), BUFFER(T, normed), int n0, int n1,
                              int n2, int bias0, int bias1, int bias2, int k, int has_norm, float eps, int gated)
{
    BEGIN(x); BEGIN(gain); BEGIN(b0); BEGIN(b1); BEGIN(b2); BEGIN(y0); BEGIN(y1); BEGIN(y2); BEGIN(normed);
    IDX all = gated ? n0 : n0 + n1 + n2, h_pitch = x_pitch;
    int from = (int)(all * GROUP(0) / NUM_GROUPS(0)), to = (int)(all * (GROUP(0) + 1) / NUM_GROUPS(0));
    GLOBAL const T *h = x;
    if (from < n0) fetch(w0, w0_off, w0_pitch, from);
    if (has_norm) { /* every group for itself */
        normed += (IDX)GROUP(0) * M * k;
        norm(x, x_pitch, gain, k, eps, normed);
        h = normed;
        h_pitch = k;
    }
    one a = SET(0, 0), b = SET(1, n0), c = SET(2, n0 + n1);
    if (gated) {
        gated_product(&a, &b, from, to, k);
    } else {
        product(&a, from, to, k);
        product(&b, from, to, k);
        product(&c, from, to, k);
    }
}
