/* Matrix products for any device: one group per TILE x TILE tile of y, factors through local memory in steps of TILE.
 * A group of one (CPUs) does the same with loops. -DTA/-DTB read a or b transposed; HAS_* and GELU are the epilogue:
 *   v = sum over k of a b + bias; z = v in T; v = gelu(z) or res + scale ls z. */
#include "dialect.h"
#include "math.h"
#include "rows.h"

#ifndef TILE
#define TILE 16
#endif
#define ITEMS (TILE * TILE / WG_SIZE) /* elements of the tile per work-item */

#ifdef Y_F32
#define TY float
#define PUT_Y put_f
#else
#define TY T
#define PUT_Y put1
#endif

KERNEL WG(WG_SIZE) void gemm(TENSOR_IN(a), TENSOR_IN(b), TENSOR_IN(bias), TENSOR_IN(res), TENSOR_IN(ls),
                             TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(TY, y), TENSOR_OUT(z), int m, int n, int k,
                             int per_sample, int add, int add_z)
{
    LOCAL float ta[TILE * TILE], tb[TILE * TILE];
    BEGIN(a); BEGIN(b); BEGIN(y);
    int col0 = GROUP(0) * TILE, row0 = GROUP(1) * TILE;
    float acc[ITEMS];
    for (int i = 0; i < ITEMS; i++) acc[i] = 0;
    for (int k0 = 0; k0 < k; k0 += TILE) {
        for (int e = LID; e < TILE * TILE; e += WG_SIZE) {
            int r = e / TILE, c = e % TILE;
#ifdef TA
            int ra = k0 + r, ca = row0 + c; /* a[k,m]: element (k, row) */
            ta[c * TILE + r] = ra < k && ca < m ? load1(a, ra * a_pitch + ca) : 0.0f;
#else
            int ra = row0 + r, ca = k0 + c;
            ta[r * TILE + c] = ra < m && ca < k ? load1(a, ra * a_pitch + ca) : 0.0f;
#endif
#ifdef TB
            int rb = col0 + r, cb = k0 + c; /* b[n,k]: element (col, k) */
            tb[c * TILE + r] = rb < n && cb < k ? load1(b, rb * b_pitch + cb) : 0.0f;
#else
            int rb = k0 + r, cb = col0 + c;
            tb[r * TILE + c] = rb < k && cb < n ? load1(b, rb * b_pitch + cb) : 0.0f;
#endif
        }
        BARRIER;
        for (int p = 0; p < TILE; p++)
            for (int i = 0; i < ITEMS; i++) {
                int e = LID + i * WG_SIZE;
                acc[i] += ta[e / TILE * TILE + p] * tb[p * TILE + e % TILE];
            }
        BARRIER;
    }
    for (int i = 0; i < ITEMS; i++) {
        int e = LID + i * WG_SIZE, r = row0 + e / TILE, c = col0 + e % TILE;
        if (r >= m || c >= n) continue;
        float v = acc[i];
#ifdef HAS_BIAS
        v += load1(bias, bias_off + c);
#endif
#if defined(GELU) || defined(HAS_RES)
        v = round_t(v);
#endif
#ifdef HAS_Z
        put1(z, z_off + r * z_pitch + c, v, add_z);
#endif
#ifdef GELU
        v = gelu_f(v);
#endif
#ifdef HAS_LS
        v *= load1(ls, ls_off + c);
#endif
#ifdef HAS_SCALE
        v *= scale[scale_off + r / per_sample];
#endif
#ifdef HAS_RES
        v += load1(res, res_off + r * res_pitch + c);
#endif
        PUT_Y(y, r * y_pitch + c, v, add);
    }
}

/* partial[chunks, cols]: sums over the rows of one chunk. */
KERNEL WG(WG_SIZE) void column_partial(TENSOR_IN(dy), BUFFER(float, partial), int rows, int cols, int per)
{
    BEGIN(dy); BEGIN(partial);
    int from = GROUP(0) * per, to = from + per < rows ? from + per : rows;
    partial += (IDX)GROUP(0) * cols;
    EACH_COLUMN(c, cols) partial[c] = 0;
    for (int r = from; r < to; r++) EACH_COLUMN(c, cols) partial[c] += load1(dy, r * dy_pitch + c);
}

COLUMN_SUM_KERNEL
