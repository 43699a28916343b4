/* By libpng, without its colour transforms. */
#include "data/mask.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

enum { PIXELS_PER_BYTE = 8300 }; /* deflate packs 1:1032 at best, 8 one-bit pixels in each byte */

typedef struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *at;
    size_t left;
    const char *name;
    ivl_status status;
    uint8_t *id, **row;
} reader;

static void on_error(png_structp png, png_const_charp why)
{
    reader *r = png_get_error_ptr(png);
    r->status = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: the mask is no PNG or damaged (%s)", r->name, why);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp why) { (void)png, (void)why; }

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->left) {
        r->status = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: the mask is truncated", r->name);
        png_longjmp(png, 1);
    }
    memcpy(to, r->at, n);
    r->at += n, r->left -= n;
}

/* Runs under setjmp. */
static ivl_status decode(reader *r, size_t n)
{
    png_set_user_limits(r->png, 0x7fffffff, 0x7fffffff);
    png_set_read_fn(r->png, r, read_bytes);
    png_read_info(r->png, r->info);
    size_t width = png_get_image_width(r->png, r->info), height = png_get_image_height(r->png, r->info);
    int colour = png_get_color_type(r->png, r->info), bits = png_get_bit_depth(r->png, r->info);
    IVL_TRY(ivl_image_check_size(r->name, width, height, n, PIXELS_PER_BYTE));
    IVL_CHECK((colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_PALETTE) && bits <= 8, IVL_EFORMAT,
              "%s: the mask must be a grey or palette PNG of at most 8 bits, its values the classes", r->name);
    png_set_packing(r->png); /* a byte per pixel, values as they are */
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    IVL_CHECK(png_get_rowbytes(r->png, r->info) == width, IVL_EFORMAT, "%s: the mask has unexpected rows", r->name);
    r->id = malloc(width * height);
    r->row = malloc(height * sizeof *r->row);
    IVL_CHECK(r->id && r->row, IVL_ENOMEM, "%s: no memory for %zu x %zu labels", r->name, width, height);
    for (size_t y = 0; y < height; y++) r->row[y] = r->id + y * width;
    png_read_image(r->png, r->row);
    return IVL_OK;
}

/* Apart, because locals of the function that calls setjmp must not be relied on after longjmp. */
static ivl_status guarded_decode(reader *r, size_t n)
{
    if (setjmp(png_jmpbuf(r->png))) return r->status;
    return decode(r, n);
}

ivl_status ivl_mask_decode(const void *bytes, size_t n, const char *name, ivl_mask_image *out_p)
{
    reader r = { .at = bytes, .left = n, .name = name };
    ivl_status s = IVL_OK;
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", name);
    if (s == IVL_OK) s = guarded_decode(&r, n);
    if (s == IVL_OK) {
        int width = (int)png_get_image_width(r.png, r.info), height = (int)png_get_image_height(r.png, r.info);
        *out_p = (ivl_mask_image){ r.id, width, height };
        r.id = NULL;
    }
    png_destroy_read_struct(r.png ? &r.png : NULL, r.info ? &r.info : NULL, NULL);
    free(r.id), free(r.row);
    return s;
}

void ivl_mask_free(ivl_mask_image *m)
{
    free(m->id);
    *m = (ivl_mask_image){ 0 };
}

void ivl_mask_resize(const ivl_mask_image *m, int w, int h, uint8_t *dst)
{
    for (int64_t y = 0; y < h; y++) {
        const uint8_t *row = m->id + (2 * y + 1) * m->height / (2 * h) * m->width;
        for (int64_t x = 0; x < w; x++) dst[y * w + x] = row[(2 * x + 1) * m->width / (2 * w)];
    }
}
