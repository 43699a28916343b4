/* batch_norm: a group owns WG_SIZE * VEC columns and walks all rows: once for the mean, once for the variance, once for
 * the result. Sums are sums of sums over BLOCK rows, so that many rows cost no precision. */
#include "dialect.h"

#define BLOCK 64
/* Own column number v, counted i from the group's first. */
#define OWN(v, i) for (int v = 0, i = LID; v < VEC && i < n; v++, i += WG_SIZE)
/* sum[v] = sum over rows r of term. */
#define COLUMN_SUMS(sum, term)                                                                               \
    do {                                                                                                     \
        OWN(v, i) sum[v] = 0;                                                                                \
        for (IDX first_ = 0; first_ < rows; first_ += BLOCK) {                                               \
            float part_[VEC];                                                                                \
            IDX last_ = first_ + BLOCK < rows ? first_ + BLOCK : rows;                                       \
            OWN(v, i) part_[v] = 0;                                                                          \
            for (IDX r = first_; r < last_; r++) OWN(v, i) part_[v] += (term);                               \
            OWN(v, i) sum[v] += part_[v];                                                                    \
        }                                                                                                    \
    } while (0)

KERNEL WG(WG_SIZE) void batch_norm_fwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_IN(b), TENSOR_OUT_AS(float, running_mean),
                                       TENSOR_OUT_AS(float, running_var), TENSOR_OUT(y), TENSOR_OUT_AS(float, mean),
                                       TENSOR_OUT_AS(float, rstd), int want_mean, int want_rstd, float eps,
                                       float momentum, IDX rows, int cols, int train)
{
    BEGIN(x); BEGIN(w); BEGIN(b); BEGIN(running_mean); BEGIN(running_var); BEGIN(y); BEGIN(mean); BEGIN(rstd);
    int from = GROUP(0) * WG_SIZE * VEC, n = cols - from < WG_SIZE * VEC ? cols - from : WG_SIZE * VEC;
    float m[VEC], s[VEC];
    x += from; y += from; w += from; b += from;
    running_mean += from; running_var += from; mean += from; rstd += from;
    if (train) {
        COLUMN_SUMS(m, load1(x, r * x_pitch + i));
        OWN(v, i) m[v] /= (float)rows;
        COLUMN_SUMS(s, (load1(x, r * x_pitch + i) - m[v]) * (load1(x, r * x_pitch + i) - m[v]));
        OWN(v, i) {
            running_mean[i] = (1.0f - momentum) * running_mean[i] + momentum * m[v];
            running_var[i] = (1.0f - momentum) * running_var[i] + momentum * (s[v] / (float)(rows - 1));
            s[v] /= (float)rows;
        }
    } else {
        OWN(v, i) {
            m[v] = running_mean[i];
            s[v] = running_var[i];
        }
    }
    OWN(v, i) {
        s[v] = 1.0f / SQRT(s[v] + eps);
        if (want_mean) mean[i] = m[v];
        if (want_rstd) rstd[i] = s[v];
    }
    for (IDX r = 0; r < rows; r++)
        OWN(v, i) store1(y, r * y_pitch + i, (load1(x, r * x_pitch + i) - m[v]) * s[v] * load1(w, i) + load1(b, i));
}

KERNEL WG(WG_SIZE) void batch_norm_bwd(TENSOR_IN(x), TENSOR_IN(w), TENSOR_IN_AS(float, mean),
                                       TENSOR_IN_AS(float, rstd), TENSOR_IN(dy), TENSOR_OUT(dx),
                                       TENSOR_OUT_AS(float, dw), TENSOR_OUT_AS(float, db), int want_x, int want_w,
                                       int want_b, int add, IDX rows, int cols, int train)
{
    BEGIN(x); BEGIN(w); BEGIN(mean); BEGIN(rstd); BEGIN(dy); BEGIN(dx); BEGIN(dw); BEGIN(db);
    int from = GROUP(0) * WG_SIZE * VEC, n = cols - from < WG_SIZE * VEC ? cols - from : WG_SIZE * VEC;
    float sw[VEC], sb[VEC], share = train ? 1.0f / (float)rows : 0.0f;
    x += from; w += from; mean += from; rstd += from; dy += from; dx += from; dw += from; db += from;
    COLUMN_SUMS(sb, load1(dy, r * dy_pitch + i));
    COLUMN_SUMS(sw, load1(dy, r * dy_pitch + i) * (load1(x, r * x_pitch + i) - mean[i]) * rstd[i]);
    OWN(v, i) {
        if (want_w) put_f(dw, i, sw[v], add >> 1 & 1);
        if (want_b) put_f(db, i, sb[v], add >> 2 & 1);
    }
    if (!want_x) return;
    for (IDX r = 0; r < rows; r++)
        OWN(v, i) {
            float hat = (load1(x, r * x_pitch + i) - mean[i]) * rstd[i];
            put1(dx, r * dx_pitch + i,
                 load1(w, i) * rstd[i] * (load1(dy, r * dy_pitch + i) - (sb[v] + hat * sw[v]) * share), add & 1);
        }
}
