#include "data/transform.h"
#include "runtime/rng.h"

#include <math.h>
#include <string.h>

static const char *const fit_names[] = { "squash", "center", "random", "pad" };

const char *ivl_fit_name(ivl_fit fit) { return fit_names[fit]; }

ivl_status ivl_fit_parse(const char *name, ivl_fit *fit_p)
{
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, fit_names[i])) {
            *fit_p = (ivl_fit)i;
            return IVL_OK;
        }
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "fit \"%s\" is not one of squash, center, random, pad", name);
}

/* Half to even, as Python's round: the current rounding mode is the default one. */
static int round_even(double v) { return (int)nearbyint(v); }

static void scale_of(const ivl_transform *t, double *lo, double *hi)
{
    *lo = t->scale_lo, *hi = t->scale_hi;
    if (*lo == 0 && *hi == 0) *lo = 0.08, *hi = 1;
}

/* The aspect of the picture is brought into the range by cutting the longer side. */
static ivl_crop central(int width, int height, double min_ratio, double max_ratio)
{
    double ratio = (double)width / height;
    ivl_crop c = { .w = width, .h = height };
    if (ratio < min_ratio) c.h = round_even(width / min_ratio);
    else if (ratio > max_ratio) c.w = round_even(height * max_ratio);
    if (c.w < 1) c.w = 1;
    if (c.h < 1) c.h = 1;
    c.x = (width - c.w) / 2, c.y = (height - c.h) / 2;
    return c;
}

static ivl_crop random_crop(const ivl_transform *t, int width, int height, uint64_t seed, uint64_t step,
                            uint32_t row)
{
    ivl_rng r = ivl_rng_make(seed, "crop");
    double lo, hi, ratio_lo = log(3.0 / 4), ratio_hi = log(4.0 / 3);
    scale_of(t, &lo, &hi);
    for (uint32_t tries = 0; tries < 10; tries++) {
        double area = (double)width * height * (lo + (hi - lo) * ivl_rng_uniform(r, row, 4 * tries, step));
        double ratio = exp(ratio_lo + (ratio_hi - ratio_lo) * ivl_rng_uniform(r, row, 4 * tries + 1, step));
        int w = round_even(sqrt(area * ratio)), h = round_even(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > width || h > height) continue;
        return (ivl_crop){ .w = w, .h = h,
                           .y = (int)ivl_rng_below(r, row, 4 * tries + 2, step, (uint64_t)(height - h) + 1),
                           .x = (int)ivl_rng_below(r, row, 4 * tries + 3, step, (uint64_t)(width - w) + 1) };
    }
    return central(width, height, 3.0 / 4, 4.0 / 3);
}

ivl_crop ivl_crop_draw(const ivl_transform *t, int width, int height, uint64_t seed, uint64_t step,
                       uint32_t row)
{
    ivl_crop c = { .w = width, .h = height };
    if (t->fit == IVL_FIT_RANDOM) c = random_crop(t, width, height, seed, step, row);
    c.flip = t->flip > 0 && ivl_rng_uniform(ivl_rng_make(seed, "flip"), row, 0, step) < t->flip;
    return c;
}

/* Short side to S, the long one by its share; then the middle S x S. Resized whole and cut after, so that the
 * rounding of the long side is torchvision's. */
static ivl_status center(const ivl_image *im, int size, bool flip, uint8_t *dst)
{
    bool wide = im->width > im->height;
    int64_t w = wide ? (int64_t)size * im->width / im->height : size;
    int64_t h = wide ? size : (int64_t)size * im->height / im->width;
    IVL_CHECK(w <= IVL_IMAGE_MAX_SIDE && h <= IVL_IMAGE_MAX_SIDE, IVL_EFORMAT,
              "a picture of %d x %d pixels is too long for a short side of %d", im->width, im->height, size);
    ivl_image all = { 0 };
    IVL_TRY(ivl_image_alloc("resize", (uint64_t)w, (uint64_t)h, &all));
    const double box[4] = { 0, 0, im->width, im->height };
    ivl_status s = ivl_resize(im->rgb, im->width, im->height, (size_t)im->width * 3, box, all.rgb, all.width,
                              all.height, false);
    int left = round_even((double)(w - size) / 2), top = round_even((double)(h - size) / 2);
    for (int y = 0; s == IVL_OK && y < size; y++) {
        const uint8_t *from = all.rgb + ((size_t)(top + y) * (size_t)w + (size_t)left) * 3;
        uint8_t *to = dst + (size_t)y * (size_t)size * 3;
        if (!flip) memcpy(to, from, (size_t)size * 3);
        for (int x = 0; flip && x < size; x++)
            memcpy(to + 3 * (size_t)x, from + 3 * (size_t)(size - 1 - x), 3);
    }
    ivl_image_free(&all);
    return s;
}

static ivl_status pad(const ivl_image *im, int size, bool flip, uint8_t *dst)
{
    static const uint8_t mean[3] = { 123, 116, 103 }; /* 255 times ImageNet's mean, cut */
    int side = im->width > im->height ? im->width : im->height;
    const double box[4] = { 0, 0, side, side };
    ivl_image all = { 0 };
    if (im->width == im->height)
        return ivl_resize(im->rgb, side, side, (size_t)side * 3, box, dst, size, size, flip);
    IVL_TRY(ivl_image_alloc("pad", (uint64_t)side, (uint64_t)side, &all));
    size_t left = (size_t)(side - im->width) / 2, top = (size_t)(side - im->height) / 2, pitch = (size_t)side * 3;
    for (size_t i = 0; i < (size_t)side * pitch; i++) all.rgb[i] = mean[i % 3];
    for (size_t y = 0; y < (size_t)im->height; y++)
        memcpy(all.rgb + (top + y) * pitch + left * 3, im->rgb + y * (size_t)im->width * 3, (size_t)im->width * 3);
    ivl_status s = ivl_resize(all.rgb, side, side, pitch, box, dst, size, size, flip);
    ivl_image_free(&all);
    return s;
}

ivl_status ivl_transform_apply(const ivl_transform *t, const ivl_image *im, uint64_t seed, uint64_t step,
                               uint32_t row, uint8_t *dst)
{
    ivl_crop c = ivl_crop_draw(t, im->width, im->height, seed, step, row);
    if (t->fit == IVL_FIT_CENTER) return center(im, t->size, c.flip, dst);
    if (t->fit == IVL_FIT_PAD) return pad(im, t->size, c.flip, dst);
    const double box[4] = { 0, 0, c.w, c.h };
    size_t pitch = (size_t)im->width * 3;
    return ivl_resize(im->rgb + (size_t)c.y * pitch + (size_t)c.x * 3, c.w, c.h, pitch, box, dst, t->size,
                      t->size, c.flip);
}

ivl_status ivl_transform_picture(const ivl_transform *t, const ivl_picture *p, uint8_t *dst)
{
    ivl_image im = { 0 };
    IVL_TRY(ivl_image_decode(p->bytes, p->n, p->name, ivl_transform_min_side(t), &im));
    ivl_status s = ivl_transform_apply(t, &im, 0, 0, 0, dst);
    ivl_image_free(&im);
    return s;
}

int ivl_transform_min_side(const ivl_transform *t)
{
    if (t->fit != IVL_FIT_RANDOM) return 0;
    double lo, hi;
    scale_of(t, &lo, &hi);
    double side = t->size * sqrt(4.0 / 3 / (lo > 0.01 ? lo : 0.01));
    return (int)ceil(side);
}
