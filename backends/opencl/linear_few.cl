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
#include "epilogue.h"
#include "tile.h"
#include "quant.h"

#ifndef M
#define M 1 /* rows of x */
#define R 4 /* rows of w at a time */
#endif

typedef struct operands { GLOBAL const T *x; GLOBAL const W *w; IDX x_pitch, w_pitch, w_off, ahead; } operands;

#define EACH(v, n) UNROLL for (int v = 0; v < (n); v++)

#ifdef W_QUANT
#define STEP 32 /* a block */
#define AT(p, i) ((GLOBAL const uchar *)W_BLOCK(p, i))
#else
#define STEP VW
#define AT(p, i) ((GLOBAL const uchar *)((p) + (i)))
#endif
/* Short rows end before hardware has seen their direction: the next R rows are fetched while these are worked on. */
#define PREFETCH(p) __builtin_prefetch((const void *)(ulong)(p))

/* s[r][m] += w[r] x[m] over elements i .. i + STEP of k; w[r]: where row r begins, in elements. */
DEVICE __attribute__((always_inline)) void step(const operands *o, const IDX *w, int i, V s[R][M])
{
    V x[M][STEP / VW];
    EACH(m, M) EACH(j, STEP / VW) x[m][j] = v_load_t(o->x + m * o->x_pitch + i + j * VW);
    EACH(r, R)
    {
        PREFETCH(AT(o->w, w[r] + i) + o->ahead);
#ifdef W_QUANT
        GLOBAL const uchar *block = AT(o->w, w[r] + i);
        float d = W_SCALE(block), least = W_LEAST(block);
        EACH(j, STEP / VW)
        {
            V v = value_w(d, least, numbers_w(block, j * VW));
            EACH(m, M) s[r][m] += v * x[m][j];
        }
#else
        V v = v_load_t(o->w + w[r] + i);
        EACH(m, M) s[r][m] += v * x[m][0];
#endif
    }
}

/* Rows r0 .. r0 + R of w, of which n exist (others repeat the last). */
DEVICE __attribute__((always_inline)) void dot(const operands *o, int r0, int n, int k, float out[R][M])
{
    V s[R][M];
    IDX w[R];
    int i = 0;
    EACH(r, R) w[r] = o->w_off + (r0 + (r < n ? r : n - 1)) * o->w_pitch;
    EACH(r, R) EACH(m, M) s[r][m] = 0.0f;
    for (; i + STEP <= k; i += STEP) step(o, w, i, s);
    EACH(r, R) EACH(m, M)
    {
        float rest = 0;
        for (int j = i; j < k; j++) rest += load1(o->x, m * o->x_pitch + j) * load_w(o->w, w[r] + j);
        out[r][m] = v_sum(s[r][m]) + rest;
    }
}

KERNEL WG(1) void linear_few(TENSOR_IN(x), TENSOR_IN_AS(W, w), TENSOR_IN(bias), TENSOR_IN(res), TENSOR_IN(ls),
                             TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(O, y), TENSOR_OUT(z), int n, int k,
                             int per_sample, int flags)
{
    BEGIN(x); BEGIN(bias); BEGIN(res); BEGIN(ls); BEGIN(scale); BEGIN(y); BEGIN(z);
    operands o = { x, w, x_pitch, w_pitch, w_off, AT(w, R * w_pitch) - (GLOBAL const uchar *)w };
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
