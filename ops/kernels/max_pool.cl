/* max_pool: one group per token of the output; axis 1 walks the batch. */
#include "dialect.h"
#include "rows.h"

/* The largest of the four tokens at x (rows of the map w apart) in column i; *at: which. NaN wins. */
DEVICE float largest(GLOBAL const T *x, IDX pitch, int w, int i, int *at)
{
    float best = load1(x, i);
    *at = 0;
    for (int q = 1; q < 4; q++) {
        float v = load1(x, ((q >> 1) * w + (q & 1)) * pitch + i);
        if (v > best || v != v) best = v, *at = q;
    }
    return best;
}

KERNEL WG(WG_SIZE) void max_pool_fwd(TENSOR_IN(x), TENSOR_OUT(y), int h, int w, int cols)
{
    BEGIN(x); BEGIN(y);
    int t = GROUP(0), half_w = w / 2, at;
    IDX b = GROUP(1);
    x += (b * h * w + 2 * (t / half_w) * w + 2 * (t % half_w)) * x_pitch;
    y += (b * (h / 2) * half_w + t) * y_pitch;
    EACH_COLUMN(i, cols) store1(y, i, largest(x, x_pitch, w, i, &at));
}

/* dx (+)= dy where this token is the largest of its four. */
KERNEL WG(WG_SIZE) void max_pool_bwd(TENSOR_IN(x), TENSOR_IN(dy), TENSOR_OUT(dx), int h, int w, int cols, int add)
{
    BEGIN(x); BEGIN(dy); BEGIN(dx);
    int t = GROUP(0), r = t / w, c = t % w, own = (r & 1) * 2 + (c & 1), inside = r / 2 < h / 2 && c / 2 < w / 2, at;
    IDX b = GROUP(1);
    x += (b * h * w + (r & ~1) * w + (c & ~1)) * x_pitch;
    dy += (b * (h / 2) * (w / 2) + (r / 2) * (w / 2) + c / 2) * dy_pitch;
    dx += (b * h * w + t) * dx_pitch;
    EACH_COLUMN(i, cols) {
        float v = 0;
        if (inside) {
            largest(x, x_pitch, w, i, &at);
            if (at == own) v = load1(dy, i);
        }
        put1(dx, i, v, add);
    }
}
