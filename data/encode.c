/* Pictures to bytes: JPEG by libjpeg(-turbo), PNG by libpng. */
#include "data/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <png.h>

/* --- JPEG ---------------------------------------------------------------------------------------------- */

typedef struct jpeg_writer {
    struct jpeg_compress_struct c; /* first: libjpeg hands it back */
    struct jpeg_error_mgr err;
    jmp_buf back;
    unsigned char *data;
    unsigned long bytes;
    ivl_status status;
} jpeg_writer;

static void jpeg_failed(j_common_ptr c)
{
    jpeg_writer *w = (jpeg_writer *)c;
    char why[JMSG_LENGTH_MAX];
    c->err->format_message(c, why);
    w->status = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "cannot encode a JPEG: %s", why);
    longjmp(w->back, 1);
}

static void say_nothing(j_common_ptr c) { (void)c; }

static void jpeg_write(jpeg_writer *w, const uint8_t *rgb, int width, int height, int quality)
{
    struct jpeg_compress_struct *c = &w->c;
    jpeg_create_compress(c);
    jpeg_mem_dest(c, &w->data, &w->bytes);
    c->image_width = (JDIMENSION)width, c->image_height = (JDIMENSION)height;
    c->input_components = 3, c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, quality, TRUE);
    c->comp_info[0].h_samp_factor = c->comp_info[0].v_samp_factor = 1; /* small coloured things */
    c->dct_method = JDCT_ISLOW;
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = (JSAMPROW)(rgb + (size_t)c->next_scanline * (size_t)width * 3);
        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
}

ivl_status ivl_jpeg_encode(const uint8_t *rgb, int width, int height, int quality, uint8_t **bytes_p,
                           size_t *n_p)
{
    jpeg_writer *w = calloc(1, sizeof *w);
    IVL_CHECK(w, IVL_ENOMEM, "out of memory");
    w->c.err = jpeg_std_error(&w->err);
    w->err.error_exit = jpeg_failed;
    w->err.output_message = say_nothing;
    if (!setjmp(w->back)) jpeg_write(w, rgb, width, height, quality);
    jpeg_destroy_compress(&w->c);
    ivl_status s = w->status;
    if (s == IVL_OK)
        *bytes_p = w->data, *n_p = w->bytes;
    else
        free(w->data);
    free(w);
    return s;
}

/* --- PNG ----------------------------------------------------------------------------------------------- */

typedef struct png_writer {
    uint8_t *data;
    size_t bytes, room;
    ivl_status status;
} png_writer;

static void png_failed(png_structp png, png_const_charp why)
{
    png_writer *w = png_get_error_ptr(png);
    if (w->status == IVL_OK)
        w->status = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "cannot encode a PNG: %s", why);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp why) { (void)png, (void)why; }

static void png_append(png_structp png, png_bytep from, size_t n)
{
    png_writer *w = png_get_io_ptr(png);
    if (w->room - w->bytes < n) {
        size_t room = 2 * w->room + n + 4096;
        uint8_t *more = realloc(w->data, room);
        if (!more) {
            w->status = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
            png_longjmp(png, 1);
        }
        w->data = more, w->room = room;
    }
    memcpy(w->data + w->bytes, from, n);
    w->bytes += n;
}

/* Apart, because locals of the function that calls setjmp must not be relied on after longjmp. */
static void png_write(png_structp png, png_infop info, png_writer *w, const uint8_t *pixels, int width,
                      int height, int channels)
{
    if (setjmp(png_jmpbuf(png))) return;
    png_set_write_fn(png, w, png_append, NULL);
    png_set_compression_level(png, 6);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (channels == 1) png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE); /* label maps are flat */
    png_write_info(png, info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(png, NULL);
}

ivl_status ivl_png_encode(const uint8_t *pixels, int width, int height, int channels, uint8_t **bytes_p,
                          size_t *n_p)
{
    png_writer w = { 0 };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, png_failed, png_warned);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info)
        png_write(png, info, &w, pixels, width, height, channels);
    else
        w.status = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    png_destroy_write_struct(png ? &png : NULL, info ? &info : NULL);
    if (w.status == IVL_OK)
        *bytes_p = w.data, *n_p = w.bytes;
    else
        free(w.data);
    return w.status;
}
