/* PNG by libpng: every colour type and depth, interlaced or not, becomes RGBA rows, then RGB over white. */
#include "data/image.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS_PER_BYTE = 8300 }; /* deflate packs 1:1032 at best, 8 one-bit pixels in each byte */

typedef struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *at;
    size_t left;
    const char *name;
    ivl_status status;
    uint8_t *rgba, **row;
} reader;

static void on_error(png_structp png, png_const_charp why)
{
    reader *r = png_get_error_ptr(png);
    r->status = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: the PNG is damaged (%s)", r->name, why);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp why) { (void)png, (void)why; }

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->left) {
        r->status = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: the PNG is truncated", r->name);
        png_longjmp(png, 1);
    }
    memcpy(to, r->at, n);
    r->at += n, r->left -= n;
}

static void ask_for_rgba(png_structp png)
{
    png_set_expand(png);   /* palette to RGB, gray to 8 bits, tRNS to alpha */
    png_set_strip_16(png); /* the high byte, as Pillow takes it */
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
}

static ivl_status read_rgba(reader *r, size_t width, size_t height)
{
    IVL_CHECK(png_get_rowbytes(r->png, r->info) == width * 4, IVL_EFORMAT, "%s: the PNG has unexpected rows",
              r->name);
    r->rgba = malloc(width * height * 4);
    r->row = malloc(height * sizeof *r->row);
    IVL_CHECK(r->rgba && r->row, IVL_ENOMEM, "%s: no memory for %zu x %zu pixels", r->name, width, height);
    for (size_t y = 0; y < height; y++) r->row[y] = r->rgba + y * width * 4;
    png_read_image(r->png, r->row); /* no png_read_end: what follows the pixels cannot change them */
    return IVL_OK;
}

/* Runs under setjmp. */
static ivl_status decode(reader *r, size_t n)
{
    png_set_user_limits(r->png, 0x7fffffff, 0x7fffffff); /* our own check below has the clearer message */
    png_set_read_fn(r->png, r, read_bytes);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    png_set_crc_action(r->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
#endif
    png_read_info(r->png, r->info);
    size_t width = png_get_image_width(r->png, r->info), height = png_get_image_height(r->png, r->info);
    IVL_TRY(ivl_image_check_size(r->name, width, height, n, PIXELS_PER_BYTE));
    ask_for_rgba(r->png);
    png_read_update_info(r->png, r->info);
    return read_rgba(r, width, height);
}

/* Apart, because locals of the function that calls setjmp must not be relied on after longjmp. */
static ivl_status guarded_decode(reader *r, size_t n)
{
    if (setjmp(png_jmpbuf(r->png))) return r->status;
    return decode(r, n);
}

ivl_status ivl_png_decode_rgba(const void *bytes, size_t n, const char *name, uint8_t **rgba_p, int *width_p,
                               int *height_p)
{
    reader r = { .at = bytes, .left = n, .name = name };
    ivl_status s = IVL_OK;
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", name);
    if (s == IVL_OK) s = guarded_decode(&r, n);
    if (s == IVL_OK) {
        *width_p = (int)png_get_image_width(r.png, r.info), *height_p = (int)png_get_image_height(r.png, r.info);
        *rgba_p = r.rgba, r.rgba = NULL;
    }
    png_destroy_read_struct(r.png ? &r.png : NULL, r.info ? &r.info : NULL, NULL);
    free(r.rgba), free(r.row);
    return s;
}

ivl_status ivl_png_decode(const void *bytes, size_t n, const char *name, ivl_image *out_p)
{
    uint8_t *rgba = NULL;
    int width = 0, height = 0;
    ivl_image im = { 0 };
    IVL_TRY(ivl_png_decode_rgba(bytes, n, name, &rgba, &width, &height));
    ivl_status s = ivl_image_alloc(name, (uint64_t)width, (uint64_t)height, &im);
    if (s == IVL_OK) {
        ivl_over_white(rgba, im.rgb, (size_t)width * (size_t)height);
        *out_p = im;
    }
    free(rgba);
    return s;
}
