/* softmax_ce: one group per row of logits z = exp(s) x. */
#include "dialect.h"
#include "rows.h"

#ifdef HAS_SCALE
#define FACTOR EXP(scale[scale_off])
#else
#define FACTOR 1.0f
#endif

/* Largest logit of the row, in every lane. */
DEVICE float row_max(GLOBAL const T *x, float s, int cols, LOCAL float *tmp)
{
    float part[VEC], m = -INFINITY;
    int base = 0;
    for (int v = 0; v < VEC; v++) part[v] = -INFINITY;
    for (; base + WG_SIZE * VEC <= cols; base += WG_SIZE * VEC)
        for (int v = 0; v < VEC; v++) part[v] = FMAX(part[v], s * load1(x, base + v * WG_SIZE + LID));
    for (int i = base + LID; i < cols; i += WG_SIZE) m = FMAX(m, s * load1(x, i));
    for (int v = 0; v < VEC; v++) m = FMAX(m, part[v]);
#if WG_SIZE > 1
    tmp[LID] = m;
    BARRIER;
    for (int k = WG_SIZE / 2; k > 0; k >>= 1) {
        if (LID < k) tmp[LID] = FMAX(tmp[LID], tmp[LID + k]);
        BARRIER;
    }
    m = tmp[0];
    BARRIER;
#endif
    return m;
}

/* lse[r]; loss[r] and, after all rows' losses, whether the row's largest logit is its label's. */
KERNEL WG(WG_SIZE) void softmax_ce_row(TENSOR_IN(x), TENSOR_IN_AS(int, labels), TENSOR_IN_AS(float, target),
                                       TENSOR_IN_AS(float, scale), TENSOR_OUT_AS(float, lse), BUFFER(float, loss),
                                       int rows, int cols)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(labels); BEGIN(target); BEGIN(lse); BEGIN(loss);
    int r = GROUP(0);
    x += (IDX)r * x_pitch;
    float s = FACTOR, max = row_max(x, s, cols, tmp), sum, cost = 0, hit = 0;
    ROW_SUM(sum, i, cols, tmp, EXP(s * load1(x, i) - max));
    float l = max + LOG(sum);
#ifdef HAS_LABELS
    int t = labels[r];
    if (t >= 0 && t < cols) {
        float z = s * load1(x, t);
        cost = l - z;
        hit = z >= max ? 1.0f : 0.0f;
    }
#else
    target += (IDX)r * target_pitch;
    ROW_SUM(cost, i, cols, tmp, target[i] * (l - s * load1(x, i)));
    ROW_SUM(hit, i, cols, tmp, s * load1(x, i) >= max ? target[i] : 0.0f);
    hit = hit > 0 ? 1.0f : 0.0f;
#endif
    if (LID == 0) {
        lse[r] = l;
        loss[r] = cost;
        loss[rows + r] = hit;
    }
}

#ifdef HAS_LABELS
#define COUNTS(r) (labels[labels_off + (r)] >= 0)
#else
#define COUNTS(r) 1
#endif

KERNEL WG(WG_SIZE) void softmax_ce_sum(TENSOR_IN_AS(int, labels), BUFFER(const float, row), TENSOR_OUT_AS(float, loss),
                                       TENSOR_OUT_AS(float, hits), int rows)
{
    BEGIN(row); BEGIN(loss); BEGIN(hits);
    if (LID) return;
    float cost[VEC], hit = 0, rest = 0;
    int count = 0, base = 0;
    for (int v = 0; v < VEC; v++) cost[v] = 0;
    for (; base + VEC <= rows; base += VEC)
        for (int v = 0; v < VEC; v++) cost[v] += row[base + v];
    for (; base < rows; base++) rest += row[base];
    for (int r = 0; r < rows; r++) {
        hit += row[rows + r];
        count += COUNTS(r);
    }
    loss[0] = count ? (vec_sum(cost) + rest) / (float)count : 0.0f;
    if (hits) hits[0] = count ? hit / (float)count : 0.0f;
}

/* dx = exp(s) dz and, per row, the sum of dz z. */
KERNEL WG(WG_SIZE) void softmax_ce_bwd(TENSOR_IN(x), TENSOR_IN_AS(int, labels), TENSOR_IN_AS(float, target),
                                       TENSOR_IN_AS(float, scale), TENSOR_IN_AS(float, lse),
                                       TENSOR_IN_AS(float, dloss), TENSOR_OUT(dx), BUFFER(float, ds), int rows,
                                       int cols, int want, int want_scale, int add)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(target); BEGIN(lse); BEGIN(dx); BEGIN(ds);
    int r = GROUP(0), count = 0;
    for (int i = 0; i < rows; i++) count += COUNTS(i);
    float s = FACTOR, weight = count ? dloss[dloss_off] / (float)count : 0.0f, l = lse[r], mass = 1, sum = 0;
    x += (IDX)r * x_pitch;
#ifdef HAS_LABELS
    int t = labels[labels_off + r];
    if (t < 0) weight = 0;
#define TARGET(i) ((i) == t ? 1.0f : 0.0f)
#else
    target += (IDX)r * target_pitch;
    ROW_SUM(mass, i, cols, tmp, target[i]);
#define TARGET(i) target[i]
#endif
#define DZ(i) (weight * (EXP(s * load1(x, i) - l) * mass - TARGET(i)))
    if (want) {
        dx += (IDX)r * dx_pitch;
        EACH_COLUMN(i, cols) put1(dx, i, s * DZ(i), add);
    }
    if (want_scale) {
        ROW_SUM(sum, i, cols, tmp, DZ(i) * s * load1(x, i));
        if (LID == 0) ds[r] = sum;
    }
}

KERNEL WG(WG_SIZE) void softmax_ce_bwd_scale(BUFFER(const float, ds), TENSOR_OUT_AS(float, out), int rows, int add)
{
    BEGIN(ds); BEGIN(out);
    if (LID) return;
    float s = 0;
    for (int i = 0; i < rows; i++) s += ds[i];
    put_f(out, 0, s, add);
}
