/* Matrix products for any device: y[m,n] = op(a) op(b). A group owns BM x BN of y and takes the factors
 * through local memory in steps of BK, as float:
 *
 *           BN
 *        +------+         a lane of a GPU owns RM x RN of the tile, its columns BN/RN apart;
 *     BK |  tb  |         a group of one (CPUs) walks the tile in RM x 16 registers, with the
 *   BK   +------+         sums kept in memory between the steps
 *  +--+  +------+
 *  |ta|  |  y   | BM
 *  +--+  +------+
 * Sums over k ascend one by one. Every form of linear and matmul is this one kernel, with its epilogue. */
#include "dialect.h"
#include "math.h"
#include "rows.h"
#include "quant.h"
#include "epilogue.h"

#ifndef BM
#define BM 64
#endif
#ifndef BK
#define BK 16
#endif
#ifndef RM
#define RM 4
#endif
#if WG_SIZE == 1
#define RN 16
#define BN 64
#define PAD 0
#else
#define RN 4
#define BN (WG_SIZE * RM * RN / BM)
#define PAD 1 /* lanes that write a column of a tile hit different banks */
#endif

/* tile[p, i] = element (i0 + i, k0 + p) of op(x)[n, k], 0 outside; x begins at element x_off; along: an element's
 * neighbours in memory are those with the next i, else those with the next k. */
#define LOAD_TILE(name, type, load)                                                                          \
    DEVICE void name(LOCAL float *tile, int size, GLOBAL const type *x, IDX x_off, IDX pitch, int along, int i0,    \
                     int n, int k0, int k)                                                                   \
    {                                                                                                        \
        for (int e = LID; e < size * BK; e += WG_SIZE) {                                                     \
            int i = along ? e % size : e / BK, p = along ? e / size : e % BK;                                \
            IDX at = along ? (k0 + p) * pitch + i0 + i : (i0 + i) * pitch + k0 + p;                          \
            tile[p * (size + PAD) + i] = i0 + i < n && k0 + p < k ? load(x, x_off + at) : 0.0f;              \
        }                                                                                                    \
    }
LOAD_TILE(load_a, T, load1)
LOAD_TILE(load_b, W, load_w)

#if WG_SIZE == 1
/* The tile of y: sums in memory, RM x 16 of them in registers during a step. */
#define TILE_SUMS LOCAL float acc[BM * BN]
#define EACH_SUM(i, j) for (int i = 0; i < BM; i++) for (int j = 0; j < BN; j++)
#define SUM_AT(i, j) acc[(i) * BN + (j)]
#define ROW_OF(i) (i)
#define COL_OF(j) (j)
DEVICE void step(LOCAL float *acc, LOCAL const float *ta, LOCAL const float *tb)
{
    for (int i = 0; i < BM; i += RM)
        for (int j = 0; j < BN; j += RN) {
            float16 s[RM];
            for (int r = 0; r < RM; r++) s[r] = vload16(0, acc + (i + r) * BN + j);
            for (int p = 0; p < BK; p++) {
                float16 b = vload16(0, tb + p * BN + j);
                for (int r = 0; r < RM; r++) s[r] += ta[p * BM + i + r] * b;
            }
            for (int r = 0; r < RM; r++) vstore16(s[r], 0, acc + (i + r) * BN + j);
        }
}
#else
#define TILE_SUMS float acc[RM * RN]
#define EACH_SUM(i, j) for (int i = 0; i < RM; i++) for (int j = 0; j < RN; j++)
#define SUM_AT(i, j) acc[(i) * RN + (j)]
#define ROW_OF(i) (LID / (BN / RN) * RM + (i))
#define COL_OF(j) (LID % (BN / RN) + (j) * (BN / RN))
DEVICE void step(float *acc, LOCAL const float *ta, LOCAL const float *tb)
{
    for (int p = 0; p < BK; p++) {
        float a[RM], b[RN];
        for (int i = 0; i < RM; i++) a[i] = ta[p * (BM + PAD) + ROW_OF(i)];
        for (int j = 0; j < RN; j++) b[j] = tb[p * (BN + PAD) + COL_OF(j)];
        EACH_SUM(i, j) SUM_AT(i, j) += a[i] * b[j];
    }
}
#endif

KERNEL WG(WG_SIZE) void gemm(TENSOR_IN(a), TENSOR_IN_AS(W, b), TENSOR_IN(bias), TENSOR_IN(res), TENSOR_IN(ls),
                             TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(O, y), TENSOR_OUT(z), int m, int n,
                             int k, int a_along, int b_along, int per_sample, int flags)
{
    LOCAL float ta[BK * (BM + PAD)], tb[BK * (BN + PAD)];
    TILE_SUMS;
    BEGIN(bias); BEGIN(res); BEGIN(ls); BEGIN(scale); BEGIN(y); BEGIN(z);
    epilogue e = { bias, res, ls, scale, y, z, res_pitch, y_pitch, z_pitch, flags, per_sample };
    int col = GROUP(0) * BN, row = GROUP(1) * BM;
    EACH_SUM(i, j) SUM_AT(i, j) = 0;
    for (int at = 0; at < k; at += BK) {
        load_a(ta, BM, a, a_off, a_pitch, a_along, row, m, at, k);
        load_b(tb, BN, b, b_off, b_pitch, b_along, col, n, at, k);
        BARRIER;
        step(acc, ta, tb);
        BARRIER;
    }
    EACH_SUM(i, j)
    {
        int r = row + ROW_OF(i), c = col + COL_OF(j);
        if (r < m && c < n) finish(&e, r, c, SUM_AT(i, j));
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
