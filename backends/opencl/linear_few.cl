/* linear for few rows of x on CPUs, as in decoding: bound by reading the weight. A group owns some rows of w and goes
 * over them R at a time; weights are read once, straight on, as they are stored, and never copied:
 *
 *      k ->                          lanes of VW partial sums for each of M x R results, summed at the end;
 *   w  ======== R rows ========      quantised weights by blocks: what a block sums up is scaled once,
 *   x  ======== M rows ========      d sum(q x) + least sum(x)
 *
 * Sums are in another order than gemm_cpu.cl's, and, among these kernels, the same for any M, R and number of groups. */
#include "dialect.h"
#include "math.h"
#include "quant.h"
#include "epilogue.h"
#include "tile.h"

#ifndef M
#define M 1 /* rows of x */
#define R 4 /* rows of w at a time */
#endif

typedef struct operands { GLOBAL const T *x; GLOBAL const W *w; IDX x_pitch, w_pitch, w_off; } operands;

#define EACH(v, n) UNROLL for (int v = 0; v < (n); v++)

#ifdef W_QUANT
typedef JOIN(uchar, VW) VU8;
#define HALF_BLOCK 16

/* Whole numbers j .. j + VW of one half of a block: high 1: values 16 to 31. */
DEVICE V numbers(GLOBAL const uchar *block, int high, int j)
{
#ifdef W_Q8_0
    return JOIN(convert_float, VW)(JOIN(vload, VW)(0, (GLOBAL const char *)(block + 2 + high * HALF_BLOCK + j)));
#else
    VU8 q = JOIN(vload, VW)(0, block + W_BYTES - HALF_BLOCK + j);
    V v = JOIN(convert_float, VW)(high ? q >> (VU8)4 : q & (VU8)15);
#ifdef W_Q4_0
    v -= 8.0f;
#endif
    return v;
#endif
}

/* Rows r0 .. r0 + R of w, of which n exist (others repeat the last). */
DEVICE __attribute__((always_inline)) void dot(const operands *o, int r0, int n, int k, float out[R][M])
{
    V s[R][M];
    EACH(r, R) EACH(m, M) s[r][m] = 0.0f;
    for (int i = 0; i < k; i += 32) {
        V x[M][32 / VW];
#ifdef W_Q4_1
        V xs[M];
#endif
        EACH(m, M)
        {
            EACH(j, 32 / VW) x[m][j] = VLOAD(o->x + m * o->x_pitch + i + j * VW);
#ifdef W_Q4_1
            xs[m] = x[m][0];
            UNROLL for (int j = 1; j < 32 / VW; j++) xs[m] += x[m][j];
#endif
        }
        EACH(r, R)
        {
            GLOBAL const uchar *block = W_BLOCK(o->w, o->w_off + (r0 + (r < n ? r : n - 1)) * o->w_pitch + i);
            V part[M];
            EACH(m, M) part[m] = 0.0f;
            EACH(j, 32 / VW)
            {
                V q = numbers(block, j * VW / HALF_BLOCK, j * VW % HALF_BLOCK);
                EACH(m, M) part[m] += q * x[m][j];
            }
            float d = W_SCALE(block);
            EACH(m, M) s[r][m] += d * part[m];
#ifdef W_Q4_1
            float least = W_LEAST(block);
            EACH(m, M) s[r][m] += least * xs[m];
#endif
        }
    }
    EACH(r, R) EACH(m, M) out[r][m] = v_sum(s[r][m]);
}
#else
DEVICE __attribute__((always_inline)) void dot(const operands *o, int r0, int n, int k, float out[R][M])
{
    V s[R][M];
    GLOBAL const T *w[R];
    EACH(r, R) w[r] = o->w + o->w_off + (r0 + (r < n ? r : n - 1)) * o->w_pitch;
    EACH(r, R) EACH(m, M) s[r][m] = 0.0f;
    int i = 0;
    for (; i + VW <= k; i += VW) {
        V x[M];
        EACH(m, M) x[m] = v_load_t(o->x + m * o->x_pitch + i);
        EACH(r, R)
        {
            V v = v_load_t(w[r] + i);
            EACH(m, M) s[r][m] += v * x[m];
        }
    }
    EACH(r, R) EACH(m, M)
    {
        float rest = 0;
        for (int j = i; j < k; j++) rest += load1(o->x, m * o->x_pitch + j) * load1(w[r], j);
        out[r][m] = v_sum(s[r][m]) + rest;
    }
}
#endif

KERNEL WG(1) void linear_few(TENSOR_IN(x), TENSOR_IN_AS(W, w), TENSOR_IN(bias), TENSOR_IN(res), TENSOR_IN(ls),
                             TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(O, y), TENSOR_OUT(z), int n, int k,
                             int per_sample, int flags)
{
    BEGIN(x); BEGIN(bias); BEGIN(res); BEGIN(ls); BEGIN(scale); BEGIN(y); BEGIN(z);
    operands o = { x, w, x_pitch, w_pitch, w_off };
    epilogue e = { bias, res, ls, scale, y, z, res_pitch, y_pitch, z_pitch, flags, per_sample };
    int from = (int)((IDX)n * GROUP(0) / NUM_GROUPS(0)), to = (int)((IDX)n * (GROUP(0) + 1) / NUM_GROUPS(0));
    for (int r0 = from; r0 < to; r0 += R) {
        float v[R][M];
        int rows = to - r0 < R ? to - r0 : R;
        dot(&o, r0, rows, k, v);
        for (int r = 0; r < rows; r++)
            for (int m = 0; m < M; m++) finish(&e, m, r0 + r, v[r][m]);
    }
}
