/* Small matrix products on tiles close to the core, for kernels that never store a whole product (attention,
 * contrastive). One text, two bodies: on a CPU (WG_SIZE 1) a tile is private memory and a product is blocked for
 * registers, MR rows x NV vectors of VW floats; elsewhere it is local memory and the group's items share the elements.
 *
 *              NV * VW columns
 *            +-----------------+
 *   a(r, k)  |  c: in registers|  c[r][n] (+)= sum_k a[r*ars + k*aks] * b[k*bks + n*bns]
 *   MR rows  +-----------------+
 *
 * Strides of a are free, so a transposed operand costs nothing. On a CPU b's columns are contiguous (bns = 1): b of a
 * product with a transpose is stored transposed (load_flipped); elsewhere bns does it and the tile is stored once. */
#ifndef IVL_KERNELS_TILE_H
#define IVL_KERNELS_TILE_H

#if WG_SIZE == 1 && defined(__OPENCL_VERSION__)
#define ON_CPU 1
#else
#define ON_CPU 0
#endif

/* Rows of one product, vectors in registers, floats in a vector. Off the CPU: MR rows at once. */
#ifndef MR
#define MR 6
#endif
#if !ON_CPU
#undef VW
#define VW 1
#elif !defined(VW)
#define VW 16
#endif
#define NV (VW == 16 ? 4 : 2)

#define ROUND_UP(n, to) (((n) + (to) - 1) / (to) * (to))
#define LOG2E 1.44269504088896341f
#define LN2 0.693147180559945309f
#define LN2_REST -1.904654299957768e-9f /* ln 2 - LN2 */

/* s + a b: one rounding on a GPU whatever its driver contracts; a CPU without the instruction would call a function. */
#if ON_CPU
#define MAC(a, b, s) ((s) + (a) * (b))
#else
#define MAC(a, b, s) FMA(a, b, s)
#endif

#if ON_CPU
/* ------------------------------------------------------------------------------------------- CPU */
#define TILE
#define TILE_ARRAY
#define SYNC
#define UNROLL _Pragma("unroll")
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
typedef JOIN(float, VW) V;
typedef JOIN(int, VW) VI;
#define VLOAD(p) JOIN(vload, VW)(0, p)
#define VSTORE(v, p) JOIN(vstore, VW)(v, 0, p)
#define AS_V JOIN(as_float, VW)
#define AS_VI JOIN(as_int, VW)

#if VW == 16
#define VLANES ((VI)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define MIX_LO(a, b)                                                                                         \
    ((V)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7))
#define MIX_HI(a, b)                                                                                         \
    ((V)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf))
DEVICE float v_sum(V a) { float8 b = a.lo + a.hi; float4 c = b.lo + b.hi; float2 d = c.lo + c.hi; return d.x + d.y; }
DEVICE float v_max(V a)
{
    float8 b = max(a.lo, a.hi);
    float4 c = max(b.lo, b.hi);
    float2 d = max(c.lo, c.hi);
    return max(d.x, d.y);
}
#elif VW == 8
#define VLANES ((VI)(0, 1, 2, 3, 4, 5, 6, 7))
#define MIX_LO(a, b) ((V)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3))
#define MIX_HI(a, b) ((V)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7))
DEVICE float v_sum(V a) { float4 c = a.lo + a.hi; float2 d = c.lo + c.hi; return d.x + d.y; }
DEVICE float v_max(V a) { float4 c = max(a.lo, a.hi); float2 d = max(c.lo, c.hi); return max(d.x, d.y); }
#else
#define VLANES ((VI)(0, 1, 2, 3))
#define MIX_LO(a, b) ((V)(a.x, b.x, a.y, b.y))
#define MIX_HI(a, b) ((V)(a.z, b.z, a.w, b.w))
DEVICE float v_sum(V a) { float2 d = a.lo + a.hi; return d.x + d.y; }
DEVICE float v_max(V a) { float2 d = max(a.lo, a.hi); return max(d.x, d.y); }
#endif

/* exp2_f of math.h on a vector. */
DEVICE V v_exp2(V x)
{
    V t = x + 12582912.0f, r = x - (t - 12582912.0f), p = 0.000153458121587f;
    p = p * r + 0.00133999312095f;
    p = p * r + 0.00961848895652f;
    p = p * r + 0.0555032877700f;
    p = p * r + 0.240226468906f;
    p = p * r + 0.693147205737f;
    p = p * r + 1.0f;
    p = AS_V(AS_VI(p) + (AS_VI(t) << 23));
    return select(p, (V)0.0f, x < -126.0f);
}

/* VW elements of storage type T as floats. */
DEVICE V v_load_t(GLOBAL const T *p)
{
#ifdef T_BF16
    return AS_V(JOIN(convert_int, VW)(VLOAD(p)) << 16);
#elif defined(T_F16)
    return JOIN(vload_half, VW)(0, (GLOBAL const half *)p);
#else
    return VLOAD(p);
#endif
}

/* x[VW][VW] transposed in registers: log2(VW) perfect shuffles, each rotates the bits of (row, column) by one. */
DEVICE void v_transpose(V *x)
{
    V y[VW];
    UNROLL for (int s = 1; s < VW; s *= 2) {
        UNROLL for (int i = 0; i < VW / 2; i++) {
            y[2 * i] = MIX_LO(x[i], x[i + VW / 2]);
            y[2 * i + 1] = MIX_HI(x[i], x[i + VW / 2]);
        }
        UNROLL for (int i = 0; i < VW; i++) x[i] = y[i];
    }
}

/* to[cap][ld] = mul * x[rows][cols], rows from rows to cap and columns from cols to ld are 0. */
DEVICE void load_rows(float *to, int ld, GLOBAL const T *x, IDX pitch, int rows, int cap, int cols, float mul)
{
    for (int r = 0; r < rows; r++) {
        int c = 0;
        for (; c + VW <= cols; c += VW) VSTORE(v_load_t(x + r * pitch + c) * mul, to + r * ld + c);
        for (; c < cols; c++) to[r * ld + c] = load1(x, r * pitch + c) * mul;
        for (; c < ld; c++) to[r * ld + c] = 0;
    }
    for (int i = rows * ld; i < cap * ld; i++) to[i] = 0;
}

/* to[cols][ld] = x[rows][cols] transposed; columns from rows to the next multiple of VW are 0. */
DEVICE void load_flipped(float *to, int ld, GLOBAL const T *x, IDX pitch, int rows, int cols)
{
    for (int r = 0; r < rows; r += VW) {
        int n = rows - r < VW ? rows - r : VW, c = 0;
        for (; c + VW <= cols; c += VW) {
            V t[VW];
            if (n == VW) {
                UNROLL for (int i = 0; i < VW; i++) t[i] = v_load_t(x + (r + i) * pitch + c);
            } else {
                UNROLL for (int i = 0; i < VW; i++) t[i] = i < n ? v_load_t(x + (r + i) * pitch + c) : (V)0.0f;
            }
            v_transpose(t);
            UNROLL for (int i = 0; i < VW; i++) VSTORE(t[i], to + (c + i) * ld + r);
        }
        for (; c < cols; c++)
            for (int i = 0; i < VW; i++) to[c * ld + r + i] = i < n ? load1(x, (r + i) * pitch + c) : 0.0f;
    }
}

/* MR rows by nv vectors; nv is a constant at every call. */
DEVICE __attribute__((always_inline)) void mac_block(const float *a, int ars, int aks, const float *b,
                                                     int bks, float *c, int cld, int k, int nv, int add)
{
    V s[MR][NV], t[NV];
    UNROLL for (int r = 0; r < MR; r++)
        UNROLL for (int v = 0; v < nv; v++) s[r][v] = add ? VLOAD(c + r * cld + v * VW) : (V)0.0f;
    for (int i = 0; i < k; i++) {
        UNROLL for (int v = 0; v < nv; v++) t[v] = VLOAD(b + i * bks + v * VW);
        UNROLL for (int r = 0; r < MR; r++)
            UNROLL for (int v = 0; v < nv; v++) s[r][v] += a[r * ars + i * aks] * t[v];
    }
    UNROLL for (int r = 0; r < MR; r++)
        UNROLL for (int v = 0; v < nv; v++) VSTORE(s[r][v], c + r * cld + v * VW);
}

/* c[MR][cols] = or += a b, over columns rounded up to whole vectors; c has room for them. */
DEVICE void tile_mac(const float *a, int ars, int aks, const float *b, int bks, int bns, float *c, int cld, int k,
                     int cols, int add)
{
    int v = 0, n = (cols + VW - 1) / VW;
    for (; v + NV <= n; v += NV) mac_block(a, ars, aks, b + v * VW, bks, c + v * VW, cld, k, NV, add);
    b += v * VW, c += v * VW;
#if VW == 16
    if (n - v == 3) mac_block(a, ars, aks, b, bks, c, cld, k, 3, add);
    if (n - v == 2) mac_block(a, ars, aks, b, bks, c, cld, k, 2, add);
#endif
    if (n - v == 1) mac_block(a, ars, aks, b, bks, c, cld, k, 1, add);
}

/* y[rows][cols] = or += x[rows][ld] times mul. */
DEVICE void store_rows(GLOBAL T *y, IDX pitch, const float *x, int ld, int rows, int cols, float mul, int add)
{
    for (int r = 0; r < rows; r++)
        if (add)
            for (int c = 0; c < cols; c++) store1(y, r * pitch + c, load1(y, r * pitch + c) + x[r * ld + c] * mul);
        else
            for (int c = 0; c < cols; c++) store1(y, r * pitch + c, x[r * ld + c] * mul);
}

DEVICE void tile_zero(float *x, int n)
{
    for (int i = 0; i < n; i++) x[i] = 0;
}

#else
/* -------------------------------------------------------------------------------- groups of items */
#ifdef __OPENCL_VERSION__
#define TILE LOCAL
#else
#define TILE
#endif
#define TILE_ARRAY LOCAL
#define SYNC BARRIER

DEVICE void load_rows(TILE float *to, int ld, GLOBAL const T *x, IDX pitch, int rows, int cap, int cols, float mul)
{
    for (int i = LID; i < cap * ld; i += WG_SIZE) {
        int r = i / ld, c = i % ld;
        to[i] = r < rows && c < cols ? load1(x, r * pitch + c) * mul : 0.0f;
    }
    SYNC;
}

DEVICE void tile_mac(TILE const float *a, int ars, int aks, TILE const float *b, int bks, int bns,
                     TILE float *c, int cld, int k, int cols, int add)
{
    for (int i = LID; i < MR * cols; i += WG_SIZE) {
        int r = i / cols, n = i % cols;
        float s = add ? c[r * cld + n] : 0.0f;
        for (int j = 0; j < k; j++) s = MAC(a[r * ars + j * aks], b[j * bks + n * bns], s);
        c[r * cld + n] = s;
    }
    SYNC;
}

DEVICE void store_rows(GLOBAL T *y, IDX pitch, TILE const float *x, int ld, int rows, int cols, float mul, int add)
{
    for (int i = LID; i < rows * cols; i += WG_SIZE)
        put1(y, i / cols * pitch + i % cols, x[i / cols * ld + i % cols] * mul, add);
    SYNC;
}

DEVICE void tile_zero(TILE float *x, int n)
{
    for (int i = LID; i < n; i += WG_SIZE) x[i] = 0;
    SYNC;
}
#endif

#endif
