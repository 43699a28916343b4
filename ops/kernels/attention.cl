/* attention: tiles of BM queries by BN keys with an online softmax, for heads of size D; nothing of size n x m exists.
 * Scores are kept in powers of two: q enters times scale * log2(e).
 *
 *   forward   one group: BM queries of one head      walks keys      s = q k^T, p, o = o a + p v
 *   dq        one group: BM queries of one head      walks keys      s, dp = do v^T, ds = p (dp - delta), dq += ds k
 *   dkv       one group: BM keys of one key head     walks queries   the same transposed: dv += p^T do, dk += ds^T q
 *   fused     one group: one key head                walks keys, then queries: dq, dk, dv at once from one p and ds
 *
 * fused computes 5 products instead of the 7 of dq and dkv, but has only as many groups as there are key heads. */
#include "dialect.h"
#include "math.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#define D HEAD_DIM
#ifndef BM
#define BM (WG_SIZE > 1 ? 16 : 60)    /* groups of several items keep their tiles in local memory */
#endif
#ifndef BN
#define BN (WG_SIZE > 1 ? 16 : 64)
#endif
#if WG_SIZE > 1
#define MR BM
#endif
#include "mask.h"
#include "tile.h"

#if ON_CPU
#define DP ROUND_UP(D, VW)
#define FLIP(x) x##_t, BN, 1     /* operand b = x^T: stored transposed */
#else
#define DP D
#define FLIP(x) x##_s, 1, DP
#endif
#define MINUS_INF (-INFINITY)

typedef struct sizes { int n, m, heads, group, kv_batch, rule, queries; } sizes;
#define SIZES int n, int m, int heads, int group, int kv_batch, int rule, int queries
#define GET_SIZES sizes z = { n, m, heads, group, kv_batch, rule, queries }

/* What the rows (or, in dkv, the columns) of a tile see; items beyond the tile's own see everything. */
DEVICE void see_load(TILE int *lo, TILE int *hi, TILE int *own, sizes z, int len, int i0, int rows, int cap)
{
    for (int r = LID; r < cap; r += WG_SIZE) {
        mask_keys k = mask_row(z.rule, z.queries, i0 + r, z.m, len);
        lo[r] = r < rows ? k.lo : 0;
        hi[r] = r < rows ? k.hi : 0x7fffffff;
        own[r] = r < rows ? k.own : -1;
    }
    SYNC;
}

/* Do rows see of keys [j0, j1): 0 nothing, 1 something, 2 all. */
DEVICE int see_any(TILE const int *lo, TILE const int *hi, TILE const int *own, int rows, int j0, int j1)
{
    int any = 0, all = 1;
    for (int r = 0; r < rows; r++) {
        any |= (lo[r] < j1 && hi[r] > j0 && hi[r] > lo[r]) || (own[r] >= j0 && own[r] < j1);
        all &= lo[r] <= j0 && hi[r] >= j1;
    }
    return any ? 1 + all : 0;
}

/* Keys that any of the rows sees lie in [*from, *to). */
DEVICE void see_range(TILE const int *lo, TILE const int *hi, TILE const int *own, int rows, int *from, int *to)
{
    int a = 0x7fffffff, b = 0;
    for (int r = 0; r < rows; r++) {
        if (hi[r] > lo[r]) {
            if (lo[r] < a) a = lo[r];
            if (hi[r] > b) b = hi[r];
        }
        if (own[r] >= 0) {
            if (own[r] < a) a = own[r];
            if (own[r] >= b) b = own[r] + 1;
        }
    }
    *from = a < b ? a : b;
    *to = b;
}

#if ON_CPU
/* s[MR][BN]: keys that a row does not see become -inf. */
DEVICE void mask_rows(float *s, const int *lo, const int *hi, const int *own, int j0, int cols)
{
    for (int r = 0; r < MR; r++)
        for (int c = 0; c < cols; c += VW) {
            VI j = VLANES + (j0 + c);
            VI see = ((j >= lo[r]) & (j < hi[r])) | (j == own[r]);
            VSTORE(select((V)MINUS_INF, VLOAD(s + r * BN + c), see), s + r * BN + c);
        }
}

/* One step of the online softmax on s[MR][cols]: s becomes p, rows of acc shrink to the new maximum. */
DEVICE void softmax_rows(float *s, float *top, float *sum, float *acc, int cols)
{
    for (int r = 0; r < MR; r++) {
        V a = VLOAD(s + r * BN), l = 0.0f;
        for (int c = VW; c < cols; c += VW) a = max(a, VLOAD(s + r * BN + c));
        float old = top[r], new = max(old, v_max(a)), ref = new == MINUS_INF ? 0.0f : new, shrink = exp2_f(old - ref);
        for (int c = 0; c < cols; c += VW) {
            V p = v_exp2(VLOAD(s + r * BN + c) - ref);
            l += p;
            VSTORE(p, s + r * BN + c);
        }
        top[r] = new;
        sum[r] = sum[r] * shrink + v_sum(l);
        if (shrink != 1.0f)
            for (int c = 0; c < DP; c += VW) VSTORE(VLOAD(acc + r * DP + c) * shrink, acc + r * DP + c);
    }
}

/* s[MR][BN] becomes p, dp becomes ds. */
DEVICE void gradient_rows(float *s, float *dp, const float *lse, const float *delta, int cols)
{
    for (int r = 0; r < MR; r++)
        for (int c = 0; c < cols; c += VW) {
            V p = v_exp2(VLOAD(s + r * BN + c) - lse[r]);
            VSTORE(p, s + r * BN + c);
            VSTORE(p * (VLOAD(dp + r * BN + c) - delta[r]), dp + r * BN + c);
        }
}

/* The same where rows are keys j0.. and columns are queries. */
DEVICE void gradient_columns(float *s, float *dp, const float *lse, const float *delta, const int *lo, const int *hi,
                             const int *own, int j0, int cols)
{
    for (int r = 0; r < MR; r++)
        for (int c = 0; c < cols; c += VW) {
            VI l = JOIN(vload, VW)(0, lo + c), h = JOIN(vload, VW)(0, hi + c), o = JOIN(vload, VW)(0, own + c);
            VI see = ((l <= j0 + r) & (h > j0 + r)) | (o == j0 + r);
            V p = v_exp2(select((V)MINUS_INF, VLOAD(s + r * BN + c) - VLOAD(lse + c), see));
            VSTORE(p, s + r * BN + c);
            VSTORE(p * (VLOAD(dp + r * BN + c) - VLOAD(delta + c)), dp + r * BN + c);
        }
}
#else
DEVICE void mask_rows(TILE float *s, TILE const int *lo, TILE const int *hi, TILE const int *own, int j0, int cols)
{
    for (int i = LID; i < MR * cols; i += WG_SIZE) {
        int r = i / cols, c = i % cols, j = j0 + c;
        if (!((j >= lo[r] && j < hi[r]) || j == own[r])) s[r * BN + c] = MINUS_INF;
    }
    SYNC;
}

DEVICE void softmax_rows(TILE float *s, TILE float *top, TILE float *sum, TILE float *acc, int cols)
{
    for (int r = LID; r < MR; r += WG_SIZE) {
        float old = top[r], new_top = old, l = 0;
        for (int c = 0; c < cols; c++) new_top = FMAX(new_top, s[r * BN + c]);
        float ref = new_top == MINUS_INF ? 0.0f : new_top, shrink = exp2_f(old - ref);
        for (int c = 0; c < cols; c++) l += s[r * BN + c] = exp2_f(s[r * BN + c] - ref);
        top[r] = new_top;
        sum[r] = sum[r] * shrink + l;
        for (int c = 0; c < DP; c++) acc[r * DP + c] *= shrink;
    }
    SYNC;
}

DEVICE void gradient_rows(TILE float *s, TILE float *dp, TILE const float *lse, TILE const float *delta, int cols)
{
    for (int i = LID; i < MR * cols; i += WG_SIZE) {
        int r = i / cols, at = r * BN + i % cols;
        s[at] = exp2_f(s[at] - lse[r]);
        dp[at] = s[at] * (dp[at] - delta[r]);
    }
    SYNC;
}

DEVICE void gradient_columns(TILE float *s, TILE float *dp, TILE const float *lse, TILE const float *delta,
                             TILE const int *lo, TILE const int *hi, TILE const int *own, int j0, int cols)
{
    for (int i = LID; i < MR * cols; i += WG_SIZE) {
        int c = i % cols, at = i / cols * BN + c, j = j0 + i / cols;
        int see = (lo[c] <= j && hi[c] > j) || own[c] == j;
        s[at] = see ? exp2_f(s[at] - lse[c]) : 0.0f;
        dp[at] = s[at] * (dp[at] - delta[c]);
    }
    SYNC;
}
#endif

KERNEL WG(WG_SIZE) void attention_fwd(TENSOR_IN(q), TENSOR_IN(k), TENSOR_IN(v), TENSOR_IN_AS(int, len), TENSOR_OUT(o),
                                      TENSOR_OUT_AS(float, lse), SIZES, int has_len, int span, float scale)
{
    TILE_ARRAY float q_s[BM * DP], acc[BM * DP], v_s[BN * DP], s[MR * BN], top[BM], sum[BM];
    TILE_ARRAY int lo[BM], hi[BM], own[BM];
#if ON_CPU
    float k_t[D * BN];
#else
    TILE_ARRAY float k_s[BN * DP];
#endif
    BEGIN(q); BEGIN(k); BEGIN(v); BEGIN(len); BEGIN(o); BEGIN(lse);
    GET_SIZES;
    int i0 = GROUP(0) * span, h = GROUP(1), b = GROUP(2), rows = n - i0 < span ? n - i0 : span, from, to;
    IDX at = (IDX)b * n + i0, key = (IDX)(b % kv_batch) * m;
    z.rule = mask_rule(rule, b, kv_batch);
    k += key * k_pitch + h / group * D;
    v += key * v_pitch + h / group * D;
    load_rows(q_s, DP, q + at * q_pitch + h * D, q_pitch, rows, ROUND_UP(rows, MR), D, scale * LOG2E);
    see_load(lo, hi, own, z, has_len ? len[b] : m, i0, rows, ROUND_UP(rows, MR));
    see_range(lo, hi, own, rows, &from, &to);
    tile_zero(acc, ROUND_UP(rows, MR) * DP);
    for (int r = LID; r < ROUND_UP(rows, MR); r += WG_SIZE) top[r] = MINUS_INF, sum[r] = 0;
    SYNC;
    for (int j0 = from; j0 < to; j0 += BN) {
        int keys = to - j0 < BN ? to - j0 : BN;
#if ON_CPU
        load_flipped(k_t, BN, k + j0 * k_pitch, k_pitch, keys, D);
#else
        load_rows(k_s, DP, k + j0 * k_pitch, k_pitch, keys, BN, D, 1);
#endif
        load_rows(v_s, DP, v + j0 * v_pitch, v_pitch, keys, keys, D, 1);
        for (int r = 0; r < rows; r += MR) {
            int see = see_any(lo + r, hi + r, own + r, rows - r < MR ? rows - r : MR, j0, j0 + ROUND_UP(keys, VW));
            if (!see) continue;
            tile_mac(q_s + r * DP, DP, 1, FLIP(k), s, BN, D, keys, 0);
            if (see == 1) mask_rows(s, lo + r, hi + r, own + r, j0, keys);
            softmax_rows(s, top + r, sum + r, acc + r * DP, keys);
            tile_mac(s, BN, 1, v_s, DP, 1, acc + r * DP, DP, keys, D, 1);
        }
    }
    for (int r = LID; r < rows; r += WG_SIZE) {
        float l = sum[r], f = l > 0.0f ? 1.0f / l : l == 0.0f ? 0.0f : l;
        for (int c = 0; c < DP; c++) acc[r * DP + c] *= f;
        lse[((IDX)b * heads + h) * lse_pitch + i0 + r] =
            l == 0.0f ? MINUS_INF : FMA(LN2, top[r], FMA(LN2_REST, top[r], LOG(l)));
    }
    SYNC;
    store_rows(o + at * o_pitch + h * D, o_pitch, acc, DP, rows, D, 1, 0);
}

/* delta[b,h,i] = sum of do * o over the head, in the order in which tile_mac sums do * v: for a row that sees one key,
 * o = v and ds is exactly 0. Rows go in packs of 8, so that their sums overlap. */
KERNEL WG(WG_SIZE) void attention_delta(TENSOR_IN(o), TENSOR_IN(d_o), BUFFER(float, delta), int n, int heads, int span)
{
    BEGIN(o); BEGIN(d_o); BEGIN(delta);
    int h = GROUP(1), b = GROUP(2), end = (GROUP(0) + 1) * span < n ? (GROUP(0) + 1) * span : n;
    for (int i = GROUP(0) * span + LID * 8; i < end; i += WG_SIZE * 8) {
        IDX row = (IDX)b * n + i, out = ((IDX)b * heads + h) * n + i;
        float s[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
        if (i + 8 <= end) {
            for (int c = 0; c < D; c++)
                for (int e = 0; e < 8; e++)
                    s[e] = MAC(load1(d_o, (row + e) * d_o_pitch + h * D + c),
                               load1(o, (row + e) * o_pitch + h * D + c), s[e]);
            for (int e = 0; e < 8; e++) delta[out + e] = s[e];
        } else {
            for (int e = 0; i + e < end; e++) {
                for (int c = 0; c < D; c++)
                    s[0] = MAC(load1(d_o, (row + e) * d_o_pitch + h * D + c),
                               load1(o, (row + e) * o_pitch + h * D + c), s[0]);
                delta[out + e] = s[0];
                s[0] = 0;
            }
        }
    }
}

/* Log-sum-exp in powers of two, +inf for rows without keys (then p = 0), and delta. */
DEVICE void statistics(TILE float *lse2, TILE float *del, GLOBAL const float *lse, GLOBAL const float *delta,
                       int rows, int cap)
{
    for (int r = LID; r < cap; r += WG_SIZE) {
        float l = r < rows ? lse[r] : MINUS_INF;
        lse2[r] = l == MINUS_INF ? INFINITY : l * LOG2E;
        del[r] = r < rows ? delta[r] : 0.0f;
    }
    SYNC;
}

KERNEL WG(WG_SIZE) void attention_bwd_q(TENSOR_IN(q), TENSOR_IN(k), TENSOR_IN(v), TENSOR_IN_AS(int, len),
                                        TENSOR_IN_AS(float, lse), TENSOR_IN(d_o), BUFFER(const float, delta),
                                        TENSOR_OUT(dq), SIZES, int has_len, int span, float scale, int add)
{
    TILE_ARRAY float q_s[BM * DP], do_s[BM * DP], acc[BM * DP], k_s[BN * DP], s[MR * BN], dp[MR * BN],
        lse2[BM], del[BM];
    TILE_ARRAY int lo[BM], hi[BM], own[BM];
#if ON_CPU
    float k_t[D * BN], v_t[D * BN];
#else
    TILE_ARRAY float v_s[BN * DP];
#endif
    BEGIN(q); BEGIN(k); BEGIN(v); BEGIN(len); BEGIN(lse); BEGIN(d_o); BEGIN(delta); BEGIN(dq);
    GET_SIZES;
    int i0 = GROUP(0) * span, h = GROUP(1), b = GROUP(2), rows = n - i0 < span ? n - i0 : span, from, to;
    int cap = ROUND_UP(rows, MR);
    IDX at = (IDX)b * n + i0, key = (IDX)(b % kv_batch) * m, bh = (IDX)b * heads + h;
    z.rule = mask_rule(rule, b, kv_batch);
    k += key * k_pitch + h / group * D;
    v += key * v_pitch + h / group * D;
    load_rows(q_s, DP, q + at * q_pitch + h * D, q_pitch, rows, cap, D, scale * LOG2E);
    load_rows(do_s, DP, d_o + at * d_o_pitch + h * D, d_o_pitch, rows, cap, D, 1);
    statistics(lse2, del, lse + bh * lse_pitch + i0, delta + bh * n + i0, rows, cap);
    see_load(lo, hi, own, z, has_len ? len[b] : m, i0, rows, cap);
    see_range(lo, hi, own, rows, &from, &to);
    tile_zero(acc, cap * DP);
    for (int j0 = from; j0 < to; j0 += BN) {
        int keys = to - j0 < BN ? to - j0 : BN;
#if ON_CPU
        load_flipped(k_t, BN, k + j0 * k_pitch, k_pitch, keys, D);
        load_flipped(v_t, BN, v + j0 * v_pitch, v_pitch, keys, D);
#else
        load_rows(v_s, DP, v + j0 * v_pitch, v_pitch, keys, BN, D, 1);
#endif
        load_rows(k_s, DP, k + j0 * k_pitch, k_pitch, keys, BN, D, 1);
        for (int r = 0; r < rows; r += MR) {
            int see = see_any(lo + r, hi + r, own + r, rows - r < MR ? rows - r : MR, j0, j0 + ROUND_UP(keys, VW));
            if (!see) continue;
            tile_mac(q_s + r * DP, DP, 1, FLIP(k), s, BN, D, keys, 0);
            tile_mac(do_s + r * DP, DP, 1, FLIP(v), dp, BN, D, keys, 0);
            if (see == 1) mask_rows(s, lo + r, hi + r, own + r, j0, keys);
            gradient_rows(s, dp, lse2 + r, del + r, keys);
            tile_mac(dp, BN, 1, k_s, DP, 1, acc + r * DP, DP, keys, D, 1);
        }
    }
    store_rows(dq + at * dq_pitch + h * D, dq_pitch, acc, DP, rows, D, scale, add);
}

KERNEL WG(WG_SIZE) void attention_bwd_kv(TENSOR_IN(q), TENSOR_IN(k), TENSOR_IN(v), TENSOR_IN_AS(int, len),
                                         TENSOR_IN_AS(float, lse), TENSOR_IN(d_o), BUFFER(const float, delta),
                                         TENSOR_OUT(dk), TENSOR_OUT(dv), SIZES, int has_len, int span, float scale,
                                         int batch, int put_k, int put_v)
{
    TILE_ARRAY float k_s[BM * DP], v_s[BM * DP], ak[BM * DP], av[BM * DP], q_s[BN * DP], do_s[BN * DP];
    TILE_ARRAY float s[MR * BN], dp[MR * BN], lse2[BN], del[BN];
    TILE_ARRAY int lo[BN], hi[BN], own[BN];
#if ON_CPU
    float q_t[D * BN], do_t[D * BN];
#endif
    BEGIN(q); BEGIN(k); BEGIN(v); BEGIN(len); BEGIN(lse); BEGIN(d_o); BEGIN(delta); BEGIN(dk); BEGIN(dv);
    GET_SIZES;
    int j0 = GROUP(0) * span, kh = GROUP(1), kb = GROUP(2), rows = m - j0 < span ? m - j0 : span,
        cap = ROUND_UP(rows, MR);
    IDX key = (IDX)kb * m + j0;
    load_rows(k_s, DP, k + key * k_pitch + kh * D, k_pitch, rows, cap, D, scale * LOG2E);
    load_rows(v_s, DP, v + key * v_pitch + kh * D, v_pitch, rows, cap, D, 1);
    tile_zero(ak, cap * DP);
    tile_zero(av, cap * DP);
    for (int t = 0; t < batch / kv_batch * group; t++) {
        int b = kb + t / group * kv_batch, h = kh * group + t % group;
        z.rule = mask_rule(rule, b, kv_batch);
        for (int i0 = 0; i0 < n; i0 += BN) {
            int cols = n - i0 < BN ? n - i0 : BN, wide = ROUND_UP(cols, VW) < BN ? ROUND_UP(cols, VW) : BN;
            IDX at = (IDX)b * n + i0, bh = (IDX)b * heads + h;
            see_load(lo, hi, own, z, has_len ? len[b] : m, i0, cols, wide);
            if (!see_any(lo, hi, own, cols, j0, j0 + rows)) continue;
            statistics(lse2, del, lse + bh * lse_pitch + i0, delta + bh * n + i0, cols, wide);
#if ON_CPU
            load_flipped(q_t, BN, q + at * q_pitch + h * D, q_pitch, cols, D);
            load_flipped(do_t, BN, d_o + at * d_o_pitch + h * D, d_o_pitch, cols, D);
#endif
            load_rows(q_s, DP, q + at * q_pitch + h * D, q_pitch, cols, BN, D, 1);
            load_rows(do_s, DP, d_o + at * d_o_pitch + h * D, d_o_pitch, cols, BN, D, 1);
            for (int r = 0; r < rows; r += MR) {
                tile_mac(k_s + r * DP, DP, 1, FLIP(q), s, BN, D, cols, 0);
                tile_mac(v_s + r * DP, DP, 1, FLIP(do), dp, BN, D, cols, 0);
                gradient_columns(s, dp, lse2, del, lo, hi, own, j0 + r, cols);
                tile_mac(s, BN, 1, do_s, DP, 1, av + r * DP, DP, cols, D, 1);
                tile_mac(dp, BN, 1, q_s, DP, 1, ak + r * DP, DP, cols, D, 1);
            }
        }
    }
    if (put_k) store_rows(dk + key * dk_pitch + kh * D, dk_pitch, ak, DP, rows, D, scale, put_k > 1);
    if (put_v) store_rows(dv + key * dv_pitch + kh * D, dv_pitch, av, DP, rows, D, 1, put_v > 1);
}

#if ON_CPU
/* x[rows][D] += t[..][DP] in memory. */
DEVICE void add_rows(GLOBAL float *x, const float *t, int rows)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < D; c++) x[r * D + c] += t[r * DP + c];
}

/* q_sum[batch,heads,n,D]: dq before scaling. */
KERNEL WG(WG_SIZE) void attention_bwd_fused(TENSOR_IN(q), TENSOR_IN(k), TENSOR_IN(v), TENSOR_IN_AS(int, len),
                                            TENSOR_IN_AS(float, lse), TENSOR_IN(d_o), BUFFER(const float, delta),
                                            BUFFER(float, q_sum), TENSOR_OUT(dq), TENSOR_OUT(dk), TENSOR_OUT(dv), SIZES,
                                            int has_len, float scale, int batch, int put_q, int put_k, int put_v)
{
    float q_s[BM * DP], do_s[BM * DP], k_s[BN * DP], k_t[D * BN], v_t[D * BN], ak[(BN + MR) * DP], av[(BN + MR) * DP];
    float s[BM * BN + MR], dp[BM * BN + MR], t_q[MR * DP], lse2[BM], del[BM];
    int lo[BM], hi[BM], own[BM];
    BEGIN(q); BEGIN(k); BEGIN(v); BEGIN(len); BEGIN(lse); BEGIN(d_o); BEGIN(delta); BEGIN(q_sum);
    BEGIN(dq); BEGIN(dk); BEGIN(dv);
    GET_SIZES;
    int kh = GROUP(0), kb = GROUP(1), looks = batch / kv_batch * group;
    for (int t = 0; put_q && t < looks; t++) {
        IDX bh = (IDX)(kb + t / group * kv_batch) * heads + kh * group + t % group;
        for (IDX i = 0; i < (IDX)n * D; i++) q_sum[bh * n * D + i] = 0;
    }
    for (int j0 = 0; j0 < m; j0 += BN) {
        int keys = m - j0 < BN ? m - j0 : BN, wide = ROUND_UP(keys, VW);
        IDX key = (IDX)kb * m + j0;
        load_flipped(k_t, BN, k + key * k_pitch + kh * D, k_pitch, keys, D);
        load_flipped(v_t, BN, v + key * v_pitch + kh * D, v_pitch, keys, D);
        load_rows(k_s, DP, k + key * k_pitch + kh * D, k_pitch, keys, keys, D, 1);
        tile_zero(ak, (BN + MR) * DP);
        tile_zero(av, (BN + MR) * DP);
        for (int t = 0; t < looks; t++) {
            int b = kb + t / group * kv_batch, h = kh * group + t % group;
            IDX bh = (IDX)b * heads + h;
            z.rule = mask_rule(rule, b, kv_batch);
            for (int i0 = 0; i0 < n; i0 += BM) {
                int rows = n - i0 < BM ? n - i0 : BM, cap = ROUND_UP(rows, MR);
                IDX at = (IDX)b * n + i0;
                see_load(lo, hi, own, z, has_len ? len[b] : m, i0, rows, cap);
                if (!see_any(lo, hi, own, rows, j0, j0 + keys)) continue;
                statistics(lse2, del, lse + bh * lse_pitch + i0, delta + bh * n + i0, rows, cap);
                load_rows(q_s, DP, q + at * q_pitch + h * D, q_pitch, rows, cap, D, scale * LOG2E);
                load_rows(do_s, DP, d_o + at * d_o_pitch + h * D, d_o_pitch, rows, cap, D, 1);
                for (int r = 0; r < rows; r += MR) {
                    int own_rows = rows - r < MR ? rows - r : MR;
                    int see = see_any(lo + r, hi + r, own + r, own_rows, j0, j0 + wide);
                    if (!see) {
                        tile_zero(s + r * BN, MR * BN);
                        tile_zero(dp + r * BN, MR * BN);
                        continue;
                    }
                    tile_mac(q_s + r * DP, DP, 1, k_t, BN, 1, s + r * BN, BN, D, keys, 0);
                    tile_mac(do_s + r * DP, DP, 1, v_t, BN, 1, dp + r * BN, BN, D, keys, 0);
                    if (see == 1) mask_rows(s + r * BN, lo + r, hi + r, own + r, j0, keys);
                    gradient_rows(s + r * BN, dp + r * BN, lse2 + r, del + r, keys);
                    if (!put_q) continue;
                    tile_mac(dp + r * BN, BN, 1, k_s, DP, 1, t_q, DP, keys, D, 0);
                    add_rows(q_sum + (bh * n + i0 + r) * D, t_q, own_rows);
                }
                for (int c = 0; c < keys; c += MR) {
                    tile_mac(s + c, 1, BN, do_s, DP, 1, av + c * DP, DP, rows, D, 1);
                    tile_mac(dp + c, 1, BN, q_s, DP, 1, ak + c * DP, DP, rows, D, 1);
                }
            }
        }
        if (put_k) store_rows(dk + key * dk_pitch + kh * D, dk_pitch, ak, DP, keys, D, LN2, put_k > 1);
        if (put_v) store_rows(dv + key * dv_pitch + kh * D, dv_pitch, av, DP, keys, D, 1, put_v > 1);
    }
    for (int t = 0; put_q && t < looks; t++) {
        int b = kb + t / group * kv_batch, h = kh * group + t % group;
        for (int i = 0; i < n; i++)
            for (int c = 0; c < D; c++)
                put1(dq, ((IDX)b * n + i) * dq_pitch + h * D + c, q_sum[(((IDX)b * heads + h) * n + i) * D + c] * scale,
                     put_q > 1);
    }
}
#endif
