/* Bicubic resampling (Keys, 1981, a = -0.75) as a matrix: every output position is a fixed blend of 4 x 4
 * grid positions, those outside the grid clamped to its edge. Source places are computed in float, as PyTorch
 * does, so that a place near a whole number falls on the same side. */
#include "model/positions.h"

#include "runtime/dtype.h"

#include <math.h>
#include <stdlib.h>

static double cubic1(double x) /* 0 <= x <= 1 */
{
    const double a = -0.75;
    return ((a + 2) * x - (a + 3)) * x * x + 1;
}

static double cubic2(double x) /* 1 <= x <= 2 */
{
    const double a = -0.75;
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

static int clamp(int i, int n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* m[out, in]: resampling along one axis. */
static void axis(int in, int out, double *m)
{
    float scale = (float)in / (float)out;
    for (int i = 0; i < out; i++, m += in) {
        float at = scale * ((float)i + 0.5f) - 0.5f, whole = floorf(at);
        double t = (double)(at - whole), w[4] = { cubic2(t + 1), cubic1(t), cubic1(1 - t), cubic2(2 - t) };
        for (int k = 0; k < 4; k++) m[clamp((int)whole - 1 + k, in)] += w[k];
    }
}

ivl_status ivl_pos_matrix(int g, int h, int w, float *m)
{
    IVL_CHECK(g > 0 && h > 0 && w > 0 && g < 4096 && h < 4096 && w < 4096, IVL_EINVAL,
              "cannot resize a grid of %d x %d positions to %d x %d", g, g, h, w);
    double *y = calloc((size_t)(h + w) * (size_t)g, sizeof *y);
    IVL_CHECK(y, IVL_ENOMEM, "out of memory");
    double *x = y + (size_t)h * (size_t)g;
    axis(g, h, y);
    axis(g, w, x);
    int64_t cols = 1 + (int64_t)g * g;
    for (int64_t j = 0; j < cols; j++) m[j] = j == 0;
    for (int i = 0; i < h * w; i++) {
        float *row = m + cols * (1 + (int64_t)i);
        row[0] = 0;
        for (int j = 0; j < g * g; j++) row[1 + j] = (float)(y[i / w * g + j / g] * x[i % w * g + j % g]);
    }
    free(y);
    return IVL_OK;
}

ivl_status ivl_pos_tensor(ivl_stream *s, ivl_dtype dtype, int g, int to, ivl_tensor *t_p)
{
    ivl_tensor t = ivl_tensor_make(dtype, 2, (int64_t[]){ 1 + (int64_t)to * to, 1 + (int64_t)g * g });
    int64_t n = ivl_numel(&t);
    size_t bytes = ivl_dtype_bytes(dtype, n);
    float *m = malloc((size_t)n * sizeof *m);
    void *typed = malloc(bytes);
    ivl_status e = m && typed ? ivl_pos_matrix(g, to, to, m)
                              : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (e == IVL_OK) e = ivl_alloc(s->dev, IVL_MEM_DEVICE, bytes, &t.buf);
    if (e == IVL_OK) {
        ivl_convert(typed, dtype, m, IVL_F32, n);
        e = ivl_write(s, t.buf, 0, bytes, typed);
    }
    free(m), free(typed);
    if (e != IVL_OK) {
        ivl_release(t.buf);
        return e;
    }
    t.name = "position matrix";
    *t_p = t;
    return IVL_OK;
}
