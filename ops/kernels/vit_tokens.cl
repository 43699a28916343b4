/* vit_tokens: one group per row; a position outside the grid counts as none. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void vit_tokens_fwd(TENSOR_IN(x), TENSOR_IN(cls), TENSOR_IN(pos), TENSOR_IN_AS(int, keep),
                                       TENSOR_OUT(y), int k, int cols, int n_pos)
{
    BEGIN(x); BEGIN(cls); BEGIN(pos); BEGIN(y);
    int r = GROUP(0), b = r / (1 + k), t = r % (1 + k) - 1, at = t;
#ifdef HAS_KEEP
    if (t >= 0) at = keep[keep_off + (IDX)b * k + t];
#endif
    int inside = t < 0 || (at >= 0 && at + 1 < n_pos);
    GLOBAL const T *from = t < 0 ? cls : x + ((IDX)b * k + t) * x_pitch;
    pos += (IDX)(inside ? 1 + at : 0) * pos_pitch;
    y += (IDX)r * y_pitch;
    if (inside)
        EACH_COLUMN(c, cols) store1(y, c, load1(from, c) + load1(pos, c));
    else
        EACH_COLUMN(c, cols) store1(y, c, load1(from, c));
}

KERNEL WG(WG_SIZE) void vit_tokens_bwd_x(TENSOR_IN(dy), TENSOR_OUT(dx), int k, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    int r = GROUP(0), b = r / k, t = r % k;
    dy += ((IDX)b * (1 + k) + 1 + t) * dy_pitch;
    dx += (IDX)r * dx_pitch;
    EACH_COLUMN(c, cols) put1(dx, c, load1(dy, c), add);
}

#ifdef OUT_F32
#define TOUT float
#define PUT_OUT put_f
#else
#define TOUT T
#define PUT_OUT put1
#endif

/* Row g of the gradient of the positions, the class token's for g = 0: images in order, then the rows of an image that
 * used position g - 1. A lane sums VEC columns in registers. */
KERNEL WG(WG_SIZE) void vit_tokens_bwd_pos(TENSOR_IN_AS(int, keep), TENSOR_IN(dy), TENSOR_OUT_AS(TOUT, out), int batch,
                                           int k, int cols, int add)
{
    BEGIN(dy); BEGIN(out);
    int g = GROUP(0);
    out += (IDX)g * out_pitch;
    for (int at = LID * VEC; at < cols; at += WG_SIZE * VEC) {
        float sum[VEC];
        int m = cols - at < VEC ? cols - at : VEC;
        for (int v = 0; v < VEC; v++) sum[v] = 0;
        for (int b = 0; b < batch; b++) {
            GLOBAL const T *image = dy + (IDX)b * (1 + k) * dy_pitch + at;
            int first = g, last = g + 1; /* rows of the image to look at */
#ifdef HAS_KEEP
            if (g > 0) first = 1, last = k + 1;
#endif
            for (int t = first; t < last; t++) {
#ifdef HAS_KEEP
                if (g > 0 && keep[keep_off + (IDX)b * k + t - 1] != g - 1) continue;
#endif
                GLOBAL const T *row = image + (IDX)t * dy_pitch;
                if (m == VEC)
                    for (int v = 0; v < VEC; v++) sum[v] += load1(row, v);
                else
                    for (int v = 0; v < m; v++) sum[v] += load1(row, v);
            }
        }
        for (int v = 0; v < m; v++) PUT_OUT(out, at + v, sum[v], add);
    }
}
