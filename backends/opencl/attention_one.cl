/* attention of one query per sample on CPUs, as in decoding: bound by reading keys and values once. A group is one
 * head; it walks the keys CHUNK at a time with an online softmax, scores in powers of two:
 *
 *   s = q k^T   VW keys at once: partial sums of each in a register, then these are transposed and added
 *   o = o a + p v */
#include "dialect.h"
#include "math.h"
#include "mask.h"
#include "tile.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#define DV (HEAD_DIM / VW) /* registers of a head */
#define CHUNK 64
#define EACH(v, n) UNROLL for (int v = 0; v < (n); v++)

/* s[CHUNK]: scores of n keys, -inf behind them. */
DEVICE __attribute__((always_inline)) void score(const V *q, GLOBAL const T *k, IDX pitch, int n, float *s)
{
    for (int j = 0; j < CHUNK; j += VW) {
        V t[VW], sum = 0.0f;
        EACH(i, VW)
        {
            t[i] = 0.0f;
            if (j + i < n) EACH(c, DV) t[i] += q[c] * v_load_t(k + (j + i) * pitch + c * VW);
        }
        v_transpose(t);
        EACH(i, VW) sum += t[i];
        VSTORE(select((V)(-INFINITY), sum, VLANES < n - j), s + j);
    }
}

/* The state of an online softmax; acc in two halves, of even and odd keys, so that sums overlap. */
typedef struct soft { float top, sum; V acc[2][DV]; } soft;

DEVICE __attribute__((always_inline)) void add_keys(soft *a, float *s, GLOBAL const T *v, IDX pitch, int n)
{
    V most = VLOAD(s), sum = 0.0f;
    for (int j = VW; j < CHUNK; j += VW) most = max(most, VLOAD(s + j));
    float top = max(a->top, v_max(most)), from = top == -INFINITY ? 0.0f : top, shrink = exp2_f(a->top - from);
    for (int j = 0; j < CHUNK; j += VW) {
        V p = v_exp2(VLOAD(s + j) - from);
        sum += p;
        VSTORE(p, s + j);
    }
    a->top = top, a->sum = a->sum * shrink + v_sum(sum);
    EACH(h, 2) EACH(c, DV) a->acc[h][c] *= shrink;
    int j = 0;
    for (; j + 2 <= n; j += 2)
        EACH(h, 2) EACH(c, DV) a->acc[h][c] += s[j + h] * v_load_t(v + (j + h) * pitch + c * VW);
    if (j < n) EACH(c, DV) a->acc[0][c] += s[j] * v_load_t(v + j * pitch + c * VW);
}

KERNEL WG(1) void attention_one(TENSOR_IN(q), TENSOR_IN(k), TENSOR_IN(v), TENSOR_IN_AS(int, len), TENSOR_OUT(o),
                                TENSOR_OUT_AS(float, lse), int m, int heads, int group, int kv_batch, int rule,
                                int queries, int has_len, float scale)
{
    BEGIN(q); BEGIN(k); BEGIN(v); BEGIN(len); BEGIN(o); BEGIN(lse);
    int h = GROUP(0), b = GROUP(1);
    mask_keys see = mask_row(mask_rule(rule, b, kv_batch), queries, 0, m, has_len ? len[b] : m);
    IDX key = (IDX)(b % kv_batch) * m;
    k += key * k_pitch + h / group * HEAD_DIM;
    v += key * v_pitch + h / group * HEAD_DIM;
    V x[DV];
    float s[CHUNK];
    soft a = { -INFINITY, 0.0f };
    q += b * q_pitch + h * HEAD_DIM;
    EACH(c, DV) x[c] = v_load_t(q + c * VW) * (scale * LOG2E);
    EACH(c, DV) a.acc[0][c] = a.acc[1][c] = 0.0f;
    if (see.own >= 0) { /* then the rule shows no other key */
        see.lo = see.own;
        see.hi = see.own + 1;
    }
    for (int j = see.lo; j < see.hi; j += CHUNK) {
        int n = see.hi - j < CHUNK ? see.hi - j : CHUNK;
        score(x, k + j * k_pitch, k_pitch, n, s);
        add_keys(&a, s, v + j * v_pitch, v_pitch, n);
    }
    float f = a.sum > 0.0f ? 1.0f / a.sum : a.sum == 0.0f ? 0.0f : a.sum;
    for (int c = 0; c < HEAD_DIM; c++) {
        float y = ((float *)a.acc[0])[c] + ((float *)a.acc[1])[c];
        store1(o, b * o_pitch + h * HEAD_DIM + c, y * f);
    }
    lse[((IDX)b * heads + h) * lse_pitch] =
        a.sum == 0.0f ? -INFINITY : FMA(LN2, a.top, FMA(LN2_REST, a.top, LOG(a.sum)));
}
