/* softmax_ce: one group per `per` rows of logits z = exp(s) x. */
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
                                       int rows, int cols, int per)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(labels); BEGIN(target); BEGIN(lse); BEGIN(loss);
    for (int r = GROUP(0) * per, end = r + per < rows ? r + per : rows; r < end; r++) {
        GLOBAL const T *xr = x + (IDX)r * x_pitch;
        float s = FACTOR, max = row_max(xr, s, cols, tmp), sum, cost = 0, hit = 0;
        ROW_SUM(sum, i, cols, tmp, EXP(s * load1(xr, i) - max));
        float l = max + LOG(sum);
#ifdef HAS_LABELS
        int t = labels[r];
        if (t >= 0 && t < cols) {
            float z = s * load1(xr, t);
            cost = l - z;
            hit = z >= max ? 1.0f : 0.0f;
        }
#else
        GLOBAL const float *want = target + (IDX)r * target_pitch;
        ROW_SUM(cost, i, cols, tmp, want[i] * (l - s * load1(xr, i)));
        ROW_SUM(hit, i, cols, tmp, s * load1(xr, i) >= max ? want[i] : 0.0f);
        hit = hit > 0 ? 1.0f : 0.0f;
#endif
        if (LID == 0) {
            lse[r] = l;
            loss[r] = cost;
            loss[rows + r] = hit;
        }
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
    GROUP_TMP(tmp);
    BEGIN(row); BEGIN(loss); BEGIN(hits);
    float cost, hit, count;
    ROW_SUM(cost, i, rows, tmp, row[i]);
    ROW_SUM(hit, i, rows, tmp, row[rows + i]);
    ROW_SUM(count, i, rows, tmp, COUNTS(i) ? 1.0f : 0.0f);
    if (LID) return;
    loss[0] = count > 0 ? cost / count : 0.0f;
    if (hits) hits[0] = count > 0 ? hit / count : 0.0f;
}

/* What a row that counts weighs: after the rows' own numbers in ds. */
KERNEL WG(WG_SIZE) void softmax_ce_weight(TENSOR_IN_AS(int, labels), TENSOR_IN_AS(float, dloss), BUFFER(float, ds),
                                          int rows)
{
    GROUP_TMP(tmp);
    BEGIN(ds);
    float count;
    ROW_SUM(count, i, rows, tmp, COUNTS(i) ? 1.0f : 0.0f);
    if (LID == 0) ds[rows] = count > 0 ? dloss[dloss_off] / count : 0.0f;
}

/* dx = exp(s) dz and, per row, the sum of dz z. */
KERNEL WG(WG_SIZE) void softmax_ce_bwd(TENSOR_IN(x), TENSOR_IN_AS(int, labels), TENSOR_IN_AS(float, target),
                                       TENSOR_IN_AS(float, scale), TENSOR_IN_AS(float, lse),
                                       TENSOR_OUT(dx), BUFFER(float, ds), int rows, int cols, int per, int want,
                                       int want_scale, int add)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(target); BEGIN(lse); BEGIN(dx); BEGIN(ds);
    for (int r = GROUP(0) * per, end = r + per < rows ? r + per : rows; r < end; r++) {
        float s = FACTOR, weight = ds[rows], l = lse[r], mass = 1, sum = 0;
        GLOBAL const T *xr = x + (IDX)r * x_pitch;
#ifdef HAS_LABELS
        int t = labels[labels_off + r];
        if (t < 0) weight = 0;
#define TARGET(i) ((i) == t ? 1.0f : 0.0f)
#else
        GLOBAL const float *wanted = target + (IDX)r * target_pitch;
        ROW_SUM(mass, i, cols, tmp, wanted[i]);
#define TARGET(i) wanted[i]
#endif
#define DZ(i) (weight * (EXP(s * load1(xr, i) - l) * mass - TARGET(i)))
        if (want) {
            GLOBAL T *to = dx + (IDX)r * dx_pitch;
            EACH_COLUMN(i, cols) put1(to, i, s * DZ(i), add);
        }
        if (want_scale) {
            ROW_SUM(sum, i, cols, tmp, DZ(i) * s * load1(xr, i));
            if (LID == 0) ds[r] = sum;
        }
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
