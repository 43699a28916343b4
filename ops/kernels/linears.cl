/* linears: one group per row of x and row of a weight (and the same row of the other, if gated); the norm is computed
 * again in each. */
#include "dialect.h"
#include "rows.h"
#include "math.h"
#include "quant.h"

#define ONE(i) TENSOR_IN_AS(W, w##i), TENSOR_IN(b##i), TENSOR_OUT(y##i)

KERNEL WG(WG_SIZE) void linears(TENSOR_IN(x), TENSOR_IN(gain), ONE(0), ONE(1), ONE(2), BUFFER(T, unused), int n0,
                                int n1, int n2, int bias0, int bias1, int bias2, int k, int norm, float eps, int gated)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(gain); BEGIN(b0); BEGIN(b1); BEGIN(b2); BEGIN(y0); BEGIN(y1); BEGIN(y2);
    (void)unused, (void)unused_off;
    int r = GROUP(0), m = GROUP(1), which = gated || r < n0 ? 0 : r < n0 + n1 ? 1 : 2;
    x += m * x_pitch;
    float scale = 1, sum;
    if (norm) {
        ROW_SUM(sum, i, k, tmp, load1(x, i) * load1(x, i));
        scale = 1.0f / SQRT(sum / (float)k + eps);
    }
#define H(i) (norm ? round_t(load1(x, i) * scale * load1(gain, i)) : load1(x, i))
    GLOBAL const W *w = which == 0 ? w0 : which == 1 ? w1 : w2;
    IDX row = which == 0 ? w0_off + r * w0_pitch : which == 1 ? w1_off + (r - n0) * w1_pitch
                                                              : w2_off + (r - n0 - n1) * w2_pitch;
    ROW_SUM(sum, i, k, tmp, H(i) * load_w(w, row + i));
    float up = 0;
    if (gated) {
        row = w1_off + r * w1_pitch;
        ROW_SUM(up, i, k, tmp, H(i) * load_w(w1, row + i));
    }
    if (LID != 0) return;
    if (gated) {
        sum = round_t(sum);
        store1(y0, m * y0_pitch + r, sum * sigmoid_f(sum) * round_t(up));
    } else if (which == 0) {
        store1(y0, m * y0_pitch + r, bias0 ? sum + load1(b0, r) : sum);
    } else if (which == 1) {
        store1(y1, m * y1_pitch + r - n0, bias1 ? sum + load1(b1, r - n0) : sum);
    } else {
        store1(y2, m * y2_pitch + r - n0 - n1, bias2 ? sum + load1(b2, r - n0 - n1) : sum);
    }
}
