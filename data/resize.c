/* Separable bicubic (a = -0.5) in 8-bit fixed point. The kernel widens with the reduction (antialias),
 * weights are doubles normalised to sum 1 and rounded to 22 fraction bits, and each of the two passes rounds
 * to 8 bits: Pillow's arithmetic, so its results are met bit for bit. The order of the passes is Pillow 13's,
 * too: along rows first, unless the height shrinks by more than twice what the width does (older ones always
 * take rows first; the difference shows only where a hard edge overshoots). */
#include "data/transform.h"

#include <math.h>
#include <stdlib.h>

enum { BITS = 32 - 8 - 2 };

/* Output i takes n[i] inputs from first[i] on, weights w[i * most ...]. */
typedef struct taps { int most, *first, *n; int32_t *w; double *exact; } taps;

static void taps_free(taps *t) { free(t->first), free(t->n), free(t->w), free(t->exact); }

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static void fill_tap(taps *t, int i, double from, double scale, double stretch, int size)
{
    double center = from + (i + 0.5) * scale, sum = 0;
    int lo = (int)(center - 2 * stretch + 0.5), hi = (int)(center + 2 * stretch + 0.5);
    if (lo < 0) lo = 0;
    if (hi > size) hi = size;
    t->first[i] = lo, t->n[i] = hi - lo;
    for (int k = 0; k < hi - lo; k++) sum += t->exact[k] = cubic((k + lo - center + 0.5) * (1 / stretch));
    for (int k = 0; k < hi - lo; k++) {
        double v = (sum != 0 ? t->exact[k] / sum : t->exact[k]) * (1 << BITS);
        t->w[(size_t)i * (size_t)t->most + (size_t)k] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
}

static ivl_status taps_make(taps *t, double from, double to, int size, int out)
{
    double scale = (to - from) / out, stretch = scale < 1 ? 1 : scale;
    t->most = (int)ceil(2 * stretch) * 2 + 1;
    t->first = malloc((size_t)out * sizeof *t->first);
    t->n = malloc((size_t)out * sizeof *t->n);
    t->w = malloc((size_t)out * (size_t)t->most * sizeof *t->w);
    t->exact = malloc((size_t)t->most * sizeof *t->exact);
    IVL_CHECK(t->first && t->n && t->w && t->exact, IVL_ENOMEM, "out of memory for a resize to %d", out);
    for (int i = 0; i < out; i++) fill_tap(t, i, from, scale, stretch, size);
    return IVL_OK;
}

static uint8_t clip(int32_t v)
{
    v >>= BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Where the taps of outputs 0..out-1 begin and end. */
static int taps_begin(const taps *t) { return t->first[0]; }
static int taps_end(const taps *t, int out) { return t->first[out - 1] + t->n[out - 1]; }

/* Along one row; src is input `skip`. */
static void row_pass(const taps *t, const uint8_t *src, int skip, uint8_t *dst, int dw, bool mirror)
{
    for (int x = 0; x < dw; x++) {
        const int32_t *w = t->w + (size_t)x * (size_t)t->most;
        const uint8_t *s = src + 3 * (size_t)(t->first[x] - skip);
        int32_t r = 1 << (BITS - 1), g = r, b = r;
        for (int k = 0; k < t->n[x]; k++, s += 3) r += w[k] * s[0], g += w[k] * s[1], b += w[k] * s[2];
        uint8_t *d = dst + 3 * (size_t)(mirror ? dw - 1 - x : x);
        d[0] = clip(r), d[1] = clip(g), d[2] = clip(b);
    }
}

/* Rows of `bytes` bytes are weighed and added: contiguous, so it vectorises. src is row `skip`. */
static void column_pass(const taps *t, const uint8_t *src, int skip, size_t pitch, uint8_t *dst, int dh,
                        size_t bytes, int32_t *acc)
{
    for (int y = 0; y < dh; y++, dst += bytes) {
        const uint8_t *s = src + (size_t)(t->first[y] - skip) * pitch;
        for (size_t i = 0; i < bytes; i++) acc[i] = 1 << (BITS - 1);
        for (int k = 0; k < t->n[y]; k++, s += pitch) {
            int32_t w = t->w[(size_t)y * (size_t)t->most + (size_t)k];
            for (size_t i = 0; i < bytes; i++) acc[i] += w * s[i];
        }
        for (size_t i = 0; i < bytes; i++) dst[i] = clip(acc[i]);
    }
}

typedef struct job {
    const uint8_t *src;
    size_t pitch;
    uint8_t *dst;
    int dw, dh;
    bool mirror;
    taps tx, ty;
} job;

static ivl_status rows_then_columns(const job *j)
{
    int top = taps_begin(&j->ty), rows = taps_end(&j->ty, j->dh) - top;
    size_t bytes = (size_t)j->dw * 3;
    int32_t *acc = malloc(bytes * sizeof *acc);
    uint8_t *mid = malloc((size_t)rows * bytes);
    bool ok = acc && mid;
    for (int y = 0; ok && y < rows; y++)
        row_pass(&j->tx, j->src + (size_t)(top + y) * j->pitch, 0, mid + (size_t)y * bytes, j->dw, j->mirror);
    if (ok) column_pass(&j->ty, mid, top, bytes, j->dst, j->dh, bytes, acc);
    free(acc), free(mid);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory for a resize to %d x %d", j->dw, j->dh);
    return IVL_OK;
}

static ivl_status columns_then_rows(const job *j)
{
    int left = taps_begin(&j->tx), cols = taps_end(&j->tx, j->dw) - left;
    size_t bytes = (size_t)cols * 3, out = (size_t)j->dw * 3;
    int32_t *acc = malloc(bytes * sizeof *acc);
    uint8_t *mid = malloc((size_t)j->dh * bytes);
    bool ok = acc && mid;
    if (ok) column_pass(&j->ty, j->src + 3 * (size_t)left, 0, j->pitch, mid, j->dh, bytes, acc);
    for (int y = 0; ok && y < j->dh; y++)
        row_pass(&j->tx, mid + (size_t)y * bytes, left, j->dst + (size_t)y * out, j->dw, j->mirror);
    free(acc), free(mid);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory for a resize to %d x %d", j->dw, j->dh);
    return IVL_OK;
}

ivl_status ivl_resize(const uint8_t *src, int sw, int sh, size_t pitch, const double box[4], uint8_t *dst,
                      int dw, int dh, bool mirror)
{
    IVL_CHECK(dw > 0 && dh > 0 && box[0] >= 0 && box[1] >= 0 && box[2] <= sw && box[3] <= sh &&
                  box[0] < box[2] && box[1] < box[3],
              IVL_EINVAL, "cannot resize the part %g,%g..%g,%g of %d x %d to %d x %d", box[0], box[1], box[2],
              box[3], sw, sh, dw, dh);
    job j = { .src = src, .pitch = pitch, .dst = dst, .dw = dw, .dh = dh, .mirror = mirror };
    ivl_status s = taps_make(&j.tx, box[0], box[2], sw, dw);
    if (s == IVL_OK) s = taps_make(&j.ty, box[1], box[3], sh, dh);
    bool columns_first = dh < sh && sh - dh > 2 * (sw - dw);
    if (s == IVL_OK) s = columns_first ? columns_then_rows(&j) : rows_then_columns(&j);
    taps_free(&j.tx), taps_free(&j.ty);
    return s;
}
