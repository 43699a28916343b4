/* contrastive: one group per row; logits are made again where they are needed, never stored. */
#include "dialect.h"
#include "rows.h"

DEVICE float row_dot(GLOBAL const T *a, GLOBAL const T *b, int width, LOCAL float *tmp)
{
    float dot;
    ROW_SUM(dot, i, width, tmp, load1(a, i) * load1(b, i));
    return dot;
}

#ifdef HAS_IGNORE
#define COUNTS(r) (!ignore[ignore_off + (r)])
#else
#define COUNTS(r) 1
#endif

/* lse[r] and loss of row r of x over all n rows of y. */
KERNEL WG(WG_SIZE) void contrastive_row(TENSOR_IN(x), TENSOR_IN(y), TENSOR_IN_AS(float, scale),
                                        TENSOR_IN_AS(int, ignore), TENSOR_OUT_AS(float, lse),
                                        BUFFER(float, loss), int n, int width, int row0, float smoothing)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(y); BEGIN(lse); BEGIN(loss);
    int r = GROUP(0);
    float s = EXP(scale[scale_off]), max = -INFINITY, sum = 0, all = 0, target = 0;
    x += (IDX)r * x_pitch;
    for (int j = 0; j < n; j++) {
        float z = s * row_dot(x, y + (IDX)j * y_pitch, width, tmp);
        max = FMAX(max, z);
        all += z;
        if (j == row0 + r) target = z;
    }
    for (int j = 0; j < n; j++) sum += EXP(FMA(s, row_dot(x, y + (IDX)j * y_pitch, width, tmp), -max));
    float l = max + LOG(sum);
    if (LID == 0) {
        lse[r] = l;
        loss[r] = COUNTS(r) ? l - (1.0f - smoothing) * target - smoothing / (float)n * all : 0.0f;
    }
}

KERNEL WG(WG_SIZE) void contrastive_sum(BUFFER(const float, row_loss), TENSOR_IN_AS(int, ignore),
                                        TENSOR_OUT_AS(float, loss), int rows)
{
    BEGIN(row_loss); BEGIN(loss);
    if (LID) return;
    float image = 0, text = 0;
    int count = 0;
    for (int r = 0; r < rows; r++) {
        image += row_loss[r];
        text += row_loss[rows + r];
        count += COUNTS(r);
    }
    loss[0] = count ? (image + text) / (float)(2 * count) : 0.0f;
}

/* d a_i = sum over j of weight exp(s) dz_ij b_j, with dz_ij of a's softmax (in_a) and of b's (in_b); acc[rows
 * of a, width] is scratch; ds[i] = sum over j of weight dz_ij z_ij. */
KERNEL WG(WG_SIZE) void contrastive_bwd(TENSOR_IN(a), TENSOR_IN(b), TENSOR_IN_AS(float, scale),
                                        TENSOR_IN_AS(int, ignore), TENSOR_IN_AS(float, lse_a),
                                        TENSOR_IN_AS(float, lse_b), TENSOR_IN_AS(float, dloss),
                                        TENSOR_OUT(da), BUFFER(float, acc), BUFFER(float, ds), int n,
                                        int width, int row0, int rows, int in_a, int in_b, float smoothing,
                                        int want, int want_scale, int add)
{
    GROUP_TMP(tmp);
    BEGIN(a); BEGIN(b); BEGIN(lse_a); BEGIN(lse_b); BEGIN(da); BEGIN(acc); BEGIN(ds);
    int i = GROUP(0), count = 0, columns = in_a ? n : rows; /* columns of the softmax that smoothing spreads over */
    for (int r = 0; r < rows; r++) count += COUNTS(r);
    float s = EXP(scale[scale_off]), weight = count ? dloss[dloss_off] / (float)(2 * count) : 0.0f, sum = 0;
    int columns_b = (int)NUM_GROUPS(0);
    a += (IDX)i * a_pitch;
    acc += (IDX)i * width;
    EACH_COLUMN(c, width) acc[c] = 0;
    for (int j = 0; j < n; j++) {
        GLOBAL const T *bj = b + (IDX)j * b_pitch;
        float dot = row_dot(a, bj, width, tmp), z = s * dot, dz = 0; /* z - lse: both are large, so rounded once */
        if (in_a && COUNTS(i))
            dz += EXP(FMA(s, dot, -lse_a[i])) - smoothing / (float)columns - (j == row0 + i ? 1.0f - smoothing : 0.0f);
        if (in_b && COUNTS(j))
            dz += EXP(FMA(s, dot, -lse_b[j])) - smoothing / (float)columns_b -
                  (i == row0 + j ? 1.0f - smoothing : 0.0f);
        sum = FMA(dz, z, sum);
        dz *= weight * s;
        EACH_COLUMN(c, width) acc[c] = FMA(dz, load1(bj, c), acc[c]);
    }
    if (want) {
        da += (IDX)i * da_pitch;
        EACH_COLUMN(c, width) put1(da, c, acc[c], add);
    }
    if (want_scale && LID == 0) ds[i] = weight * sum;
}

KERNEL WG(WG_SIZE) void contrastive_bwd_scale(BUFFER(const float, ds), TENSOR_OUT_AS(float, out), int n, int add)
{
    BEGIN(ds); BEGIN(out);
    if (LID) return;
    float s = 0;
    for (int i = 0; i < n; i++) s += ds[i];
    put_f(out, 0, s, add);
}
