/* Decoding: every form of JPEG, PNG and WebP against pixels made by Pillow (tests/data/make_golden.py), scaled
 * decoding, and what must be refused with a message that names the file. */
#include "data/image.h"
#include "runtime/file.h"
#include "tests/suite.h"

static const char *const pictures[] = {
    "rgb444.jpg",   "rgb422.jpg",  "rgb420.jpg", "gray.jpg",     "progressive.jpg", "cmyk.jpg",
    "ycck.jpg",     "keeprgb.jpg", "rgb8.png",   "rgba8.png",    "gray8.png",       "graya8.png",
    "gray1.png",    "gray2.png",   "gray4.png",  "palette1.png", "palette2.png",    "palette4.png",
    "palette8.png", "rgba16.png",  "rgb16.png",  "gray16.png",   "rgbkey.png",      "interlaced.png",
    "lossy.webp",   "lossless.webp", "alpha.webp", "lossyalpha.webp",
};
enum { N_PICTURES = sizeof pictures / sizeof *pictures };

static char *slurp(const char *name, size_t *n)
{
    char path[256], *data = NULL;
    snprintf(path, sizeof path, "tests/golden/images/%s", name);
    ck_assert_int_eq(ivl_read_file(source(path), 0, &data, n), IVL_OK);
    return data;
}

START_TEST(pixels_are_pillows)
{
    char name[64];
    size_t n = 0, want_n = 0;
    snprintf(name, sizeof name, "%s.rgb", pictures[_i]);
    char *data = slurp(pictures[_i], &n), *want = slurp(name, &want_n);
    ivl_image im = { 0 };
    ck_assert_msg(ivl_image_decode(data, n, pictures[_i], 0, &im) == IVL_OK, "%s", ivl_last_error());
    ck_assert_uint_eq((size_t)im.width * (size_t)im.height * 3, want_n);
    for (size_t i = 0; i < want_n; i++)
        ck_assert_msg(abs(im.rgb[i] - (uint8_t)want[i]) <= 1, "%s: byte %zu is %d, not %d", pictures[_i], i,
                      im.rgb[i], (uint8_t)want[i]);
    ivl_image_free(&im);
    free(data), free(want);
}
END_TEST

/* Every beginning of every file: an error that names it, or the picture when only end marks are cut. */
START_TEST(truncated_is_named)
{
    size_t n = 0;
    char *data = slurp(pictures[_i], &n);
    for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 7) {
        ivl_image im = { 0 };
        char *part = malloc(cut + !cut); /* its own block, so that a checker sees reads beyond */
        memcpy(part, data, cut);
        ivl_status s = ivl_image_decode(part, cut, "shard-7.tar: key 42", 0, &im);
        free(part);
        if (s == IVL_OK) ck_assert_uint_ge(cut + 20, n);
        else ck_assert_ptr_nonnull(strstr(ivl_last_error(), "shard-7.tar: key 42"));
        ck_assert(s == IVL_OK || !im.rgb);
        ivl_image_free(&im);
    }
    free(data);
}
END_TEST

START_TEST(scaled_jpeg)
{
    size_t n = 0;
    char *data = slurp("large.jpg", &n); /* 200 x 120 */
    const int ask[] = { 0, 120, 121, 60, 61, 14, 1, 500 };
    const int width[] = { 200, 200, 200, 100, 125, 25, 25, 200 },
              height[] = { 120, 120, 120, 60, 75, 15, 15, 120 };
    for (int i = 0; i < 8; i++) {
        ivl_image im = { 0 };
        ck_assert_int_eq(ivl_image_decode(data, n, "large", ask[i], &im), IVL_OK);
        ck_assert_int_eq(im.width, width[i]);
        ck_assert_int_eq(im.height, height[i]);
        ivl_image_free(&im);
    }
    free(data);
}
END_TEST

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (char)(v >> (24 - 8 * i));
}

static uint32_t crc_of(const char *p, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= (uint8_t)p[i];
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
    }
    return ~c;
}

static void refuse(const char *data, size_t n, const char *word)
{
    ivl_image im = { 0 };
    ck_assert_int_eq(ivl_image_decode(data, n, "x.png", 0, &im), IVL_EFORMAT);
    ck_assert_msg(strstr(ivl_last_error(), word) && !strncmp(ivl_last_error(), "x.png: ", 7), "%s",
                  ivl_last_error());
}

START_TEST(hostile_sizes)
{
    size_t n = 0;
    char *data = slurp("rgb8.png", &n);
    const uint32_t size[][2] = {
        { 40000, 10 }, { 30000, 30000 }, { 0x7fffffff, 0x7fffffff }, { 16000, 16000 }
    };
    const char *const word[] = { "refused", "refused", "refused", "cannot be in" };
    for (int i = 0; i < 4; i++) {
        put32(data + 16, size[i][0]), put32(data + 20, size[i][1]);
        put32(data + 29, crc_of(data + 12, 17));
        refuse(data, n, word[i]);
    }
    free(data);
    data = slurp("rgb420.jpg", &n);
    char *sof = data + 2; /* walk the markers to the frame header */
    while ((uint8_t)sof[1] != 0xc0) sof += 2 + ((uint8_t)sof[2] << 8 | (uint8_t)sof[3]);
    for (int i = 5; i < 9; i++) sof[i] = i & 1 ? 0x3f : (char)0xff;
    refuse(data, n, "cannot be in");
    for (int i = 5; i < 9; i++) sof[i] = i & 1 ? (char)0xa0 : 0;
    refuse(data, n, "40960");
    free(data);
}
END_TEST

START_TEST(other_forms)
{
    ivl_image im = { 0 };
    refuse("RIFF\1\2\3\4WEBPVP8 ", 16, "WebP");
    size_t n = 0;
    char *data = slurp("animated.webp", &n);
    refuse(data, n, "animated");
    free(data);
    data = slurp("lossless.webp", &n);
    data[21] = data[22] = (char)0xff, data[23] = (char)0xff, data[24] |= 0x0f; /* 16384 x 16384 */
    refuse(data, n, "WebP");
    for (size_t i = 25; i < n; i++) data[i] = (char)0xa5;
    refuse(data, n, "WebP");
    free(data);
    refuse("GIF89a\1\0\1\0", 10, "GIF");
    refuse("<html>", 6, "web page");
    refuse("", 0, "empty");
    refuse("hello", 5, "neither");
    ck_assert_int_eq(ivl_image_load("/nonexistent/cat.jpg", 0, &im), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "/nonexistent/cat.jpg"));
    ck_assert_int_eq(ivl_image_load("/", 0, &im), IVL_EIO);
    ivl_image_free(&im);
    ivl_image_free(NULL);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("image");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, pixels_are_pillows, 0, N_PICTURES);
    tcase_add_loop_test(t, truncated_is_named, 0, N_PICTURES);
    tcase_add_test(t, scaled_jpeg);
    tcase_add_test(t, hostile_sizes);
    tcase_add_test(t, other_forms);
    return run_suite("image", t);
}
