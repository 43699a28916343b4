/* Resizing and cropping: Pillow's pixels, torchvision's boxes, our random numbers. */
#include "data/transform.h"
#include "runtime/file.h"
#include "tests/suite.h"

static char *slurp(const char *name, size_t *n)
{
    char path[256], *data = NULL;
    snprintf(path, sizeof path, "tests/golden/resize/%s", name);
    ck_assert_int_eq(ivl_read_file(source(path), 0, &data, n), IVL_OK);
    return data;
}

static void run_case(const char *kind, const char *src, int sw, int sh, const double box[4], int w, int h,
                     const char *want_name)
{
    char name[64];
    size_t n = 0, want_n = 0;
    snprintf(name, sizeof name, "%s.src", src);
    char *data = slurp(name, &n), *want = slurp(want_name, &want_n);
    uint8_t *got = malloc(want_n);
    ck_assert_uint_eq(n, (size_t)sw * (size_t)sh * 3);
    ck_assert_uint_eq(want_n, (size_t)w * (size_t)h * 3);
    if (!strcmp(kind, "box")) {
        ck_assert_int_eq(ivl_resize((uint8_t *)data, sw, sh, (size_t)sw * 3, box, got, w, h, false), IVL_OK);
    } else {
        ivl_transform t = { .fit = IVL_FIT_CENTER, .size = w };
        ivl_image im = { (uint8_t *)data, sw, sh };
        ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, got), IVL_OK);
    }
    ck_assert_mem_eq(got, want, want_n);
    free(data), free(want), free(got);
}

START_TEST(pixels_are_pillows)
{
    char *list = slurp("cases.txt", &(size_t){ 0 });
    int lines = 0;
    for (char *save = NULL, *l = strtok_r(list, "\n", &save); l; l = strtok_r(NULL, "\n", &save), lines++) {
        char kind[16], src[16], want[32];
        int sw, sh, w, h;
        double box[4];
        ck_assert_int_eq(sscanf(l, "%15s %15s %d %d %lf %lf %lf %lf %d %d %31s", kind, src, &sw, &sh, &box[0],
                                &box[1], &box[2], &box[3], &w, &h, want),
                         11);
        run_case(kind, src, sw, sh, box, w, h, want);
    }
    ck_assert_int_ge(lines, 16);
    free(list);
}
END_TEST

static ivl_image pattern(int w, int h)
{
    ivl_image im = { malloc((size_t)w * (size_t)h * 3), w, h };
    for (int i = 0; i < w * h * 3; i++) im.rgb[i] = (uint8_t)(i * 37 + (i >> 5) * 11);
    return im;
}

START_TEST(mirrored)
{
    ivl_image im = pattern(31, 22);
    uint8_t a[16 * 16 * 3], b[16 * 16 * 3];
    for (int fit = IVL_FIT_SQUASH; fit <= IVL_FIT_RANDOM; fit++) {
        ivl_transform t = { .fit = (ivl_fit)fit, .size = 16 };
        ck_assert_int_eq(ivl_transform_apply(&t, &im, 1, 2, 3, a), IVL_OK);
        t.flip = 1;
        ck_assert_int_eq(ivl_transform_apply(&t, &im, 1, 2, 3, b), IVL_OK);
        for (int y = 0; y < 16; y++)
            for (int x = 0; x < 16; x++) ck_assert_mem_eq(a + (y * 16 + x) * 3, b + (y * 16 + 15 - x) * 3, 3);
    }
    ivl_image_free(&im);
}
END_TEST

/* The crop sees no pixel outside itself. */
START_TEST(crop_is_a_view)
{
    ivl_image im = pattern(40, 40);
    ivl_transform t = { .fit = IVL_FIT_RANDOM, .size = 8, .scale_lo = 0.1, .scale_hi = 0.2 };
    uint8_t a[8 * 8 * 3], b[8 * 8 * 3];
    ivl_crop c = ivl_crop_draw(&t, 40, 40, 9, 9, 9);
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 9, 9, 9, a), IVL_OK);
    for (int y = 0; y < 40; y++)
        for (int x = 0; x < 40; x++)
            if (x < c.x || x >= c.x + c.w || y < c.y || y >= c.y + c.h)
                memset(im.rgb + (y * 40 + x) * 3, 0, 3);
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 9, 9, 9, b), IVL_OK);
    ck_assert_mem_eq(a, b, sizeof a);
    ivl_image_free(&im);
}
END_TEST

START_TEST(crops_are_drawn_well)
{
    ivl_transform t = { .fit = IVL_FIT_RANDOM, .size = 8, .scale_lo = 0.5, .scale_hi = 1, .flip = 0.5 };
    double area = 0, flips = 0;
    enum { N = 2000 };
    for (uint32_t i = 0; i < N; i++) {
        ivl_crop c = ivl_crop_draw(&t, 300, 200, 5, i / 64, i % 64);
        ivl_crop again = ivl_crop_draw(&t, 300, 200, 5, i / 64, i % 64);
        ck_assert(c.x == again.x && c.y == again.y && c.w == again.w && c.h == again.h &&
                  c.flip == again.flip);
        ck_assert(c.x >= 0 && c.y >= 0 && c.w >= 1 && c.h >= 1 && c.x + c.w <= 300 && c.y + c.h <= 200);
        double share = (double)c.w * c.h / (300 * 200), ratio = (double)c.w / c.h;
        ck_assert(share > 0.48 && share <= 1 && ratio > 0.74 &&
                  ratio < 1.51); /* 1.5: the picture's own, as fallback */
        area += share, flips += c.flip;
    }
    ck_assert(area / N > 0.6 && area / N < 0.85);
    ck_assert(flips / N > 0.45 && flips / N < 0.55);
}
END_TEST

START_TEST(padded_to_a_square)
{
    ivl_image im = pattern(40, 20);
    uint8_t out[40][40][3], square[20 * 20 * 3], same[20 * 20 * 3];
    static const uint8_t mean[3] = { 123, 116, 103 };
    ivl_transform t = { .fit = IVL_FIT_PAD, .size = 40 };
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, &out[0][0][0]), IVL_OK);
    for (int x = 0; x < 40; x++) { /* at its own size nothing is resampled */
        ck_assert_mem_eq(out[9][x], mean, 3);
        ck_assert_mem_eq(out[30][x], mean, 3);
    }
    ck_assert_mem_eq(out[10], im.rgb, 20 * 40 * 3);
    ivl_image_free(&im);
    im = pattern(20, 20), t.size = 20;
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, square), IVL_OK);
    t.fit = IVL_FIT_SQUASH;
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, same), IVL_OK);
    ck_assert_mem_eq(square, same, sizeof same);
    ivl_image_free(&im);
}
END_TEST

START_TEST(extremes)
{
    ivl_image im = pattern(1, 400);
    uint8_t out[8 * 8 * 3];
    ivl_transform t = { .fit = IVL_FIT_RANDOM, .size = 8 };
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, out), IVL_OK);
    t.fit = IVL_FIT_SQUASH;
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, out), IVL_OK);
    t.fit = IVL_FIT_CENTER;
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, out), IVL_OK);
    t.size = 400;
    ck_assert_int_eq(ivl_transform_apply(&t, &im, 0, 0, 0, out), IVL_EFORMAT);
    const double outside[4] = { 0, 0, 2, 400 };
    ck_assert_int_eq(ivl_resize(im.rgb, 1, 400, 3, outside, out, 8, 8, false), IVL_EINVAL);
    ck_assert_int_eq(ivl_fit_parse("stretch", &t.fit), IVL_EINVAL);
    ck_assert_int_eq(ivl_fit_parse("squash", &t.fit), IVL_OK);
    ck_assert_str_eq(ivl_fit_name(t.fit), "squash");
    ivl_image_free(&im);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("transform");
    tcase_add_test(t, pixels_are_pillows);
    tcase_add_test(t, mirrored);
    tcase_add_test(t, crop_is_a_view);
    tcase_add_test(t, crops_are_drawn_well);
    tcase_add_test(t, padded_to_a_square);
    tcase_add_test(t, extremes);
    return run_suite("transform", t);
}
