/* gemm on CPUs: C[m,n] = op(A) op(B) with what follows a linear layer done on the way out. One work-item a
 * group.
 *              panel p: NR columns      A group owns some panels and some row tiles. It packs its panels
 *             +----------+              of B once, in the order the tile kernel reads them, as float;
 *    MR rows  |   tile   |              then for every row tile it runs over its panels. MR x NV vector
 *             +----------+              accumulators stay in registers.
 *
 * Every element of C is one chain of fused multiply-adds over k = 0 .. K-1, whatever the tiles, the blocks of
 * KC and the number of cores are: all choices give the same bits. Edges: the last row tile is moved up to end
 * at row m, and stores only what is its own; the last panel is filled up, and its own columns are stored.
 * (Goto & van de Geijn, 2008, is the classic form; A needs no packing here where its rows lie along k.) */
#include "dialect.h"
#include "math.h"

#ifndef MR
#define MR 6
#define NV 2
#define VW 8
#endif
#ifndef TA
#define TA 0  /* A is stored [k,m] */
#define TB 1  /* B is stored [n,k] */
#endif
#ifndef COPY_A
#define COPY_A 0 /* row tiles of A are copied, as float */
#endif
#ifndef EPILOGUE
#define EPILOGUE 0 /* 0: + bias; 1: gelu(h = + bias); 2: res + scale ls (h = + bias) */
#endif

#include "quant.h"

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define VF CAT(float, VW)
typedef VF VFU __attribute__((aligned(4)));
typedef CAT(ushort, VW) VHU __attribute__((aligned(2)));
/* PoCL's vstore16 is three stores and two shuffles; this is one. */
#define VLOAD(i, p) (*(GLOBAL const VFU *)((p) + (i) * VW))
#define VSTORE(v, i, p) (*(GLOBAL VFU *)((p) + (i) * VW) = (v))
#define NR (NV * VW)
/* Left alone, LLVM takes half of AVX-512's width. */
#if VW == 16
#define VECTORIZE _Pragma("clang loop vectorize_width(16)")
#elif VW == 8
#define VECTORIZE _Pragma("clang loop vectorize_width(8)")
#else
#define VECTORIZE _Pragma("clang loop vectorize_width(4)")
#endif

#ifdef Y_F32
typedef float TY;
#define store_y(p, i, v) (p)[i] = (v)
#define load_y(p, i) (p)[i]
#else
typedef T TY;
#define store_y store1
#define load_y load1
#endif

/* --- the tile ----------------------------------------------------------------------------------------- */

#if NV == 1
#define COLS(X, i) X(i, 0)
#elif NV == 2
#define COLS(X, i) X(i, 0) X(i, 1)
#else
#define COLS(X, i) X(i, 0) X(i, 1) X(i, 2)
#endif
#define ROWS4(X) X(0) X(1) X(2) X(3)
#define ROWS6(X) ROWS4(X) X(4) X(5)
#define ROWS8(X) ROWS6(X) X(6) X(7)
#define ROWS10(X) ROWS8(X) X(8) X(9)
#define ROWS12(X) ROWS10(X) X(10) X(11)
#define ROWS14(X) ROWS12(X) X(12) X(13)
#define ROWS(X) CAT(ROWS, MR)(X)

#define ZERO1(i, j) VF c##i##_##j = 0;
#define ZERO(i) COLS(ZERO1, i)
#define LOAD1(i, j) c##i##_##j = VLOAD((i) * NV + j, t);
#define LOAD(i) COLS(LOAD1, i)
#define SAVE1(i, j) VSTORE(c##i##_##j, (i) * NV + j, t);
#define SAVE(i) COLS(SAVE1, i)
#define LOADB(i, j) VF b##j = VLOAD(j, b);
#define MADD1(i, j) c##i##_##j = fma((VF)(a##i), b##j, c##i##_##j);
#define MADD(i) { float a##i = A_AT(i); COLS(MADD1, i) }
#if TA
#define A_AT(i) a[i]
#define A_NEXT a += lda
#else /* five pointers and one stride reach all rows with x86's addressing */
#define A_AT(i) \
    ((i) / 3 == 0 ? a : (i) / 3 == 1 ? r3 : (i) / 3 == 2 ? r6 : (i) / 3 == 3 ? r9 : r12)[(i) % 3 * lda]
#define A_NEXT a++, r3++, r6++, r9++, r12++
#endif

/* t[MR,NR] (+)= A tile times panel, kn steps. */
DEVICE void tile(GLOBAL const float *a, IDX lda, GLOBAL const float *b, int kn, GLOBAL float *t, int first)
{
    ROWS(ZERO)
    if (!first) { ROWS(LOAD) }
#if !TA
    GLOBAL const float *r3 = a + 3 * lda, *r6 = a + 6 * lda, *r9 = a + 9 * lda, *r12 = a + 12 * lda;
#endif
    for (int k = 0; k < kn; k++) {
        COLS(LOADB, 0)
        ROWS(MADD)
        A_NEXT;
        b += NR;
    }
    ROWS(SAVE)
}

/* First row of row tile q: the last one is moved up to end at row m. */
DEVICE int tile_row(int q, int m) { return q * MR <= m - MR ? q * MR : m > MR ? m - MR : 0; }

/* --- packing ------------------------------------------------------------------------------------------ */

#ifdef T_BF16
#define LOADT(p) CAT(as_float, VW)(CAT(convert_uint, VW)(*(GLOBAL const VHU *)(p)) << 16)
#elif defined(T_F16)
/* dialect.h's half_value in vectors */
#define HALF(n)                                                                                              \
    DEVICE CAT(float, n) CAT(half_to_float, n)(CAT(ushort, n) h)                                             \
    {                                                                                                        \
        CAT(uint, n) u = CAT(convert_uint, n)(h), m = u & 0x7fffu, f = (m << 13) + 0x38000000u;              \
        CAT(uint, n) small = CAT(as_uint, n)(CAT(as_float, n)(m + 0x3f000000u) - 0.5f);                      \
        f = select(f, small, CAT(as_int, n)(m < 0x400u));                                                    \
        f |= CAT(as_uint, n)(m >= 0x7c00u) & 0x7f800000u;                                                    \
        return CAT(as_float, n)(f | (u & 0x8000u) << 16);                                                    \
    }
HALF(VW)
#define LOADT(p) CAT(half_to_float, VW)(*(GLOBAL const VHU *)(p))
#else
#define LOADT(p) VLOAD(0, p)
#endif

/* VW elements of B from element i, which is a multiple of VW where B is quantised. */
#ifdef W_QUANT
DEVICE VF load_b(GLOBAL const W *p, IDX i)
{
    GLOBAL const uchar *block = W_BLOCK(p, i);
    return part_w(block, (int)(i & 31) / VW, W_SCALE(block), W_LEAST(block));
}
#else
#define load_b(p, i) LOADT((p) + (i))
#endif

#if TB
/* Transposes by log2(VW) perfect shuffles. */
#if VW == 16
#define LO(x, y) __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HI(x, y) __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define STAGES 4
#elif VW == 8
#define LO(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
#define HI(x, y) __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
#define STAGES 3
#else
#define LO(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define HI(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define STAGES 2
#endif

DEVICE void transpose(GLOBAL const W *b, IDX from, IDX pitch, int rows, GLOBAL float *p)
{
    VF x[VW], y[VW];
#pragma unroll
    for (int i = 0; i < VW; i++) x[i] = load_b(b, from + (i < rows ? i : rows - 1) * pitch);
#pragma unroll
    for (int s = 0; s < STAGES; s++) {
#pragma unroll
        for (int i = 0; i < VW / 2; i++) {
            y[2 * i] = LO(x[i], x[i + VW / 2]);
            y[2 * i + 1] = HI(x[i], x[i + VW / 2]);
        }
#pragma unroll
        for (int i = 0; i < VW; i++) x[i] = y[i];
    }
#pragma unroll
    for (int i = 0; i < VW; i++) VSTORE(x[i], 0, p + i * NR);
}

/* p[k][j] = b[from + j * pitch + k]; columns past nn repeat the last one, and are never stored. */
DEVICE void pack_b(GLOBAL const W *b, IDX from, IDX pitch, int nn, int kn, GLOBAL float *p)
{
    for (int v = 0; v < NR; v += VW) {
        int rows = nn - v > VW ? VW : nn - v > 1 ? nn - v : 1, k = 0;
        IDX row = from + (v < nn ? v : nn - 1) * pitch;
        for (; k + VW <= kn; k += VW) transpose(b, row + k, pitch, rows, p + k * NR + v);
        for (; k < kn; k++)
            for (int i = 0; i < VW; i++) p[k * NR + v + i] = load_w(b, row + (i < rows ? i : rows - 1) * pitch + k);
    }
}
#else
DEVICE void pack_b(GLOBAL const T *b, IDX from, IDX pitch, int nn, int kn, GLOBAL float *p)
{
    b += from;
    if (nn == NR)
        for (int k = 0; k < kn; k++, b += pitch)
            for (int j = 0; j < NR; j += VW) VSTORE(LOADT(b + j), 0, p + k * NR + j);
    else
        for (int k = 0; k < kn; k++, b += pitch)
            for (int j = 0; j < NR; j++) p[k * NR + j] = j < nn ? load1(b, j) : 0;
}
#endif

/* Row tiles of A as float, AT at a time so that whole cache lines are used, a_size apart. Rows past the last
 * one repeat it; they are never stored. */
#if TA
#define AT 4
typedef float4 F4 __attribute__((aligned(4)));
typedef float2 F2 __attribute__((aligned(4)));
typedef ushort4 H4 __attribute__((aligned(2)));
typedef ushort2 H2 __attribute__((aligned(2)));
#ifdef T_BF16
#define LOADT4(p) as_float4(convert_uint4(*(GLOBAL const H4 *)(p)) << 16)
#define LOADT2(p) as_float2(convert_uint2(*(GLOBAL const H2 *)(p)) << 16)
#elif defined(T_F16)
#if VW != 4
HALF(4)
#endif
HALF(2)
#define LOADT4(p) half_to_float4(*(GLOBAL const H4 *)(p))
#define LOADT2(p) half_to_float2(*(GLOBAL const H2 *)(p))
#else
#define LOADT4(p) (*(GLOBAL const F4 *)(p))
#define LOADT2(p) (*(GLOBAL const F2 *)(p))
#endif
/* The next rows of A lie far apart, beyond what hardware foresees. */
#define PREFETCH(p) __builtin_prefetch((const void *)(ulong)(p))

/* p[k][i] = a[k][i] */
DEVICE void copy_a(GLOBAL const T *a, IDX pitch, int m, int q, int q1, int kn, GLOBAL float *p, int a_size)
{
    int n = q1 - q < AT ? q1 - q : AT;
    if (m < MR) {
        for (int k = 0; k < kn; k++, a += pitch)
            for (int i = 0; i < MR; i++) p[k * MR + i] = load1(a, i < m ? i : m - 1);
        return;
    }
    for (int k = 0; k < kn; k++, a += pitch, p += MR)
        for (int t = 0; t < n; t++) {
            GLOBAL const T *at = a + tile_row(q + t, m);
            GLOBAL float *pt = p + t * a_size;
            PREFETCH(at + 8 * pitch);
#pragma unroll
            for (int i = 0; i + 4 <= MR; i += 4) *(GLOBAL F4 *)(pt + i) = LOADT4(at + i);
            if (MR % 4) *(GLOBAL F2 *)(pt + MR - 2) = LOADT2(at + MR - 2);
        }
}
#else
#define AT 1
DEVICE void copy_a(GLOBAL const T *a, IDX pitch, int m, int q, int q1, int kn, GLOBAL float *p, int a_size)
{
    int r0 = tile_row(q, m);
    for (int i = 0; i < MR; i++, p += a_size / MR) {
        GLOBAL const T *row = a + (r0 + i < m ? r0 + i : m - 1) * pitch;
        int k = 0;
        for (; k + VW <= kn; k += VW) VSTORE(LOADT(row + k), 0, p + k);
        for (; k < kn; k++) p[k] = load1(row, k);
    }
}
#endif

/* --- on the way out ----------------------------------------------------------------------------------- */

/* One row of a tile, nn columns: t with the row's places in the other tensors. h: the row as the linear layer
 * alone would have stored it. Called with nn = NR as a constant where the panel is full. */
#if EPILOGUE == 0
DEVICE void out_row(GLOBAL const float *t, const float *bias, GLOBAL TY *y, int add, int nn)
{
    if (add) {
        VECTORIZE for (int j = 0; j < nn; j++) { float h = t[j] + bias[j]; store_y(y, j, load_y(y, j) + h); }
    } else {
        VECTORIZE for (int j = 0; j < nn; j++) { float h = t[j] + bias[j]; store_y(y, j, h); }
    }
}
#else
DEVICE void hidden_row(GLOBAL const float *t, const float *bias, GLOBAL T *z, float *h, int nn)
{
    VECTORIZE for (int j = 0; j < nn; j++) h[j] = round_t(t[j] + bias[j]);
    if (z) { VECTORIZE for (int j = 0; j < nn; j++) store1(z, j, h[j]); }
}
#endif
#if EPILOGUE == 1
DEVICE void gelu_row(const float *h, GLOBAL TY *y, int nn)
{
    VECTORIZE for (int j = 0; j < nn; j++) { float g = gelu_f(h[j]); store_y(y, j, g); }
}
#elif EPILOGUE == 2
DEVICE void residual_row(const float *h, GLOBAL const T *res, float s, const float *ls, GLOBAL TY *y, int nn)
{
    VECTORIZE for (int j = 0; j < nn; j++)
    {
        float r = residual_f(load1(res, j), s, ls[j], h[j]);
        store_y(y, j, r);
    }
}
#endif
#define FULL_OR(f, ...) do { if (nn == NR) f(__VA_ARGS__, NR); else f(__VA_ARGS__, nn); } while (0)

enum { BIAS = 1, LS = 2, SCALE = 4, Z = 8 }; /* of ops/gemm_tiled.h */

/* The panel's part of a row vector; `none` where it has none. */
DEVICE void vector_row(GLOBAL const T *x, int present, float none, int nn, float *v)
{
    for (int j = 0; j < NR; j++) v[j] = present && j < nn ? load1(x, j) : none;
}

/* per: rows that share one element of scale. has: bits of BIAS, LS, SCALE, Z. a_size, t_size, group_size:
 * floats of scratch for one tile's copy of A, for the tiles themselves, and for all of a group. */
KERNEL WG(1) void gemm(TENSOR_IN(a), TENSOR_IN_AS(W, b), TENSOR_IN(bias), TENSOR_IN(res), TENSOR_IN(ls),
                       TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(TY, y), TENSOR_OUT(z),
                       BUFFER(float, scratch), int m, int n, int k, int kc, int per, int has, int add, int a_size,
                       int t_size, IDX group_size)
{
    BEGIN(a); BEGIN(bias); BEGIN(res); BEGIN(ls); BEGIN(scale); BEGIN(y); BEGIN(z); BEGIN(scratch);
    int panels = (n + NR - 1) / NR, tiles = (m + MR - 1) / MR;
    int gx = (int)get_num_groups(0), gy = (int)get_num_groups(1);
    int p0 = (int)((IDX)panels * GROUP(0) / gx), p1 = (int)((IDX)panels * (GROUP(0) + 1) / gx);
    int q0 = (int)((IDX)tiles * GROUP(1) / gy), q1 = (int)((IDX)tiles * (GROUP(1) + 1) / gy);
    GLOBAL float *as = scratch + group_size * (GROUP(1) * gx + GROUP(0));
    GLOBAL float *ts = as + (COPY_A ? AT : 0) * a_size, *bs = ts + t_size;
    for (int k0 = 0; k0 < k; k0 += kc) {
        int kn = k - k0 < kc ? k - k0 : kc;
        for (int p = p0; p < p1; p++) {
            IDX from = b_off + (TB ? p * NR * b_pitch + k0 : k0 * b_pitch + p * NR);
            pack_b(b, from, b_pitch, n - p * NR < NR ? n - p * NR : NR, kn, bs + (IDX)(p - p0) * kc * NR);
        }
        for (int q = q0; q < q1; q++) {
            int r0 = tile_row(q, m);
#if COPY_A
            IDX lda = TA ? MR : a_size / MR;
            int at = (q - q0) % AT;
            if (at == 0) copy_a(TA ? a + k0 * a_pitch : a + k0, a_pitch, m, q, q1, kn, as, a_size);
            GLOBAL const float *af = as + at * a_size;
#else
            IDX lda = a_pitch;
            GLOBAL const float *af = (GLOBAL const float *)a + r0 * a_pitch + k0;
#endif
            for (int p = p0; p < p1; p++) {
                GLOBAL float *t = ts + (k > kc ? (IDX)((q - q0) * (p1 - p0) + p - p0) * MR * NR : 0);
                tile(af, lda, bs + (IDX)(p - p0) * kc * NR, kn, t, k0 == 0);
                if (k0 + kn < k) continue;
                int n0 = p * NR, nn = n - n0 < NR ? n - n0 : NR;
                float bias_row[NR];
                vector_row(bias + n0, has & BIAS, 0, nn, bias_row);
#if EPILOGUE == 2
                float ls_row[NR];
                vector_row(ls + n0, has & LS, 1, nn, ls_row);
#endif
                for (int i = q * MR - r0; i < MR && r0 + i < m; i++) {
                    IDX r = r0 + i;
                    GLOBAL TY *yi = y + r * y_pitch + n0;
#if EPILOGUE == 0
                    FULL_OR(out_row, t + i * NR, bias_row, yi, add);
#else
                    float h[NR];
                    GLOBAL T *zi = has & Z ? z + r * z_pitch + n0 : 0;
                    FULL_OR(hidden_row, t + i * NR, bias_row, zi, h);
#endif
#if EPILOGUE == 1
                    FULL_OR(gelu_row, h, yi);
#elif EPILOGUE == 2
                    float s = has & SCALE ? scale[r / per] : 1;
                    FULL_OR(residual_row, h, res + r * res_pitch + n0, s, ls_row, yi);
#endif
                }
            }
        }
    }
}
