#include "data/image.h"
#include "runtime/file.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 29 };

static bool is_jpeg(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff;
}
static bool is_png(const uint8_t *p, size_t n) { return n >= 8 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8); }

static bool is_webp(const uint8_t *p, size_t n)
{
    return n >= 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4);
}

bool ivl_image_known(const void *bytes, size_t n)
{
    return is_jpeg(bytes, n) || is_png(bytes, n) || is_webp(bytes, n);
}

/* What else people put into data sets, for the message. */
static const char *other_form(const uint8_t *p, size_t n)
{
    if (n >= 6 && (!memcmp(p, "GIF87a", 6) || !memcmp(p, "GIF89a", 6))) return "GIF";
    if (n >= 4 && (!memcmp(p, "II*\0", 4) || !memcmp(p, "MM\0*", 4))) return "TIFF";
    if (n >= 2 && !memcmp(p, "BM", 2)) return "BMP";
    if (n >= 12 && !memcmp(p + 4, "ftyp", 4)) return "AVIF or HEIF";
    if (n >= 5 && (!memcmp(p, "<?xml", 5) || !memcmp(p, "<svg", 4))) return "SVG or XML";
    if (n >= 5 && (!memcmp(p, "<html", 5) || !memcmp(p, "<!DOC", 5))) return "a web page";
    return NULL;
}

ivl_status ivl_image_decode(const void *bytes, size_t n, const char *name, int min_side, ivl_image *out_p)
{
    IVL_CHECK(n > 0, IVL_EFORMAT, "%s: the picture is empty", name);
    if (is_jpeg(bytes, n)) return ivl_jpeg_decode(bytes, n, name, min_side, out_p);
    if (is_png(bytes, n)) return ivl_png_decode(bytes, n, name, out_p);
    if (is_webp(bytes, n)) return ivl_webp_decode(bytes, n, name, out_p);
    const char *form = other_form(bytes, n);
    if (form)
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: this is %s; convert it to JPEG, PNG or WebP", name,
                        form);
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: neither JPEG, PNG nor WebP", name);
}

ivl_status ivl_image_load(const char *path, int min_side, ivl_image *out_p)
{
    char *data = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(path, MAX_FILE, &data, &n));
    ivl_status s = ivl_image_decode(data, n, path, min_side, out_p);
    free(data);
    return s;
}

void ivl_image_free(ivl_image *im)
{
    if (!im) return;
    free(im->rgb);
    *im = (ivl_image){ 0 };
}

ivl_status ivl_image_check_size(const char *name, uint64_t width, uint64_t height, size_t n,
                                unsigned per_byte)
{
    IVL_CHECK(width > 0 && height > 0, IVL_EFORMAT, "%s: a picture of %ju x %ju pixels", name,
              (uintmax_t)width, (uintmax_t)height);
    IVL_CHECK(width <= IVL_IMAGE_MAX_SIDE && height <= IVL_IMAGE_MAX_SIDE &&
                  width * height <= IVL_IMAGE_MAX_PIXELS,
              IVL_EFORMAT, "%s: %ju x %ju pixels; pictures beyond %d a side or %d million pixels are refused",
              name, (uintmax_t)width, (uintmax_t)height, IVL_IMAGE_MAX_SIDE, IVL_IMAGE_MAX_PIXELS / 1000000);
    IVL_CHECK(width * height / per_byte <= (uint64_t)n, IVL_EFORMAT,
              "%s: %ju x %ju pixels cannot be in %zu bytes: truncated, or made to waste memory", name,
              (uintmax_t)width, (uintmax_t)height, n);
    return IVL_OK;
}

ivl_status ivl_image_alloc(const char *name, uint64_t width, uint64_t height, ivl_image *out_p)
{
    size_t n = (size_t)(width * height * 3);
    ivl_image im = { malloc(n), (int)width, (int)height };
    IVL_CHECK(im.rgb, IVL_ENOMEM, "%s: no memory for %ju x %ju pixels", name, (uintmax_t)width,
              (uintmax_t)height);
    *out_p = im;
    return IVL_OK;
}

void ivl_over_white(const uint8_t *rgba, uint8_t *rgb, size_t n)
{
    for (size_t i = 0; i < n; i++, rgba += 4, rgb += 3) {
        unsigned a = rgba[3];
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)((rgba[c] * a + 255 * (255 - a) + 127) / 255);
    }
}
