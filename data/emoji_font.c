#include "data/emoji_font.h"

#include <stdlib.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H
#include <hb-ft.h>
#include <hb.h>
#include <png.h>

struct ivl_emoji_font { FT_Library lib; FT_Face face; hb_font_t *hb; };

ivl_status ivl_emoji_font_open(const char *path, ivl_emoji_font **f_p)
{
    ivl_emoji_font *f = calloc(1, sizeof *f);
    IVL_CHECK(f, IVL_ENOMEM, "out of memory");
    ivl_status s = IVL_OK;
    if (FT_Init_FreeType(&f->lib)) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (FT_New_Face(f->lib, path, 0, &f->face))
        s = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: no font to read: apt-get install fonts-noto-color-emoji", path);
    else if (!FT_HAS_COLOR(f->face) || f->face->num_fixed_sizes < 1 || FT_Select_Size(f->face, 0))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: not a font of colour bitmaps", path);
    else if (!(f->hb = hb_ft_font_create_referenced(f->face)))
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s != IVL_OK) {
        ivl_emoji_font_close(f);
        return s;
    }
    *f_p = f;
    return IVL_OK;
}

void ivl_emoji_font_close(ivl_emoji_font *f)
{
    if (!f) return;
    if (f->hb) hb_font_destroy(f->hb);
    if (f->face) FT_Done_Face(f->face);
    if (f->lib) FT_Done_FreeType(f->lib);
    free(f);
}

/* The one glyph that the sequence becomes; 0 if it becomes several or none. */
static uint32_t shape(ivl_emoji_font *f, const char *sequence)
{
    hb_buffer_t *b = hb_buffer_create();
    hb_buffer_add_utf8(b, sequence, -1, 0, -1);
    hb_buffer_guess_segment_properties(b);
    hb_shape(f->hb, b, NULL, 0);
    unsigned n = 0, seen = 0;
    uint32_t glyph = 0;
    const hb_glyph_info_t *info = hb_buffer_get_glyph_infos(b, &n);
    for (unsigned i = 0; i < n; i++)
        if (info[i].codepoint) glyph = info[i].codepoint, seen++;
    hb_buffer_destroy(b);
    return seen == 1 && n == 1 ? glyph : 0;
}

/* Premultiplied BGRA to straight RGBA, as PNG. */
static ivl_status to_png(const FT_Bitmap *m, uint8_t **png_p, size_t *n_p)
{
    png_image im = { .version = PNG_IMAGE_VERSION, .width = m->width, .height = m->rows, .format = PNG_FORMAT_RGBA };
    uint8_t *rgba = malloc((size_t)m->width * m->rows * 4), *png = NULL;
    png_alloc_size_t n = 0;
    for (unsigned i = 0; rgba && i < m->width * m->rows; i++) {
        const uint8_t *p = m->buffer + (size_t)(i / m->width) * (size_t)m->pitch + i % m->width * 4;
        for (int c = 0; c < 3; c++) {
            unsigned v = p[3] ? (p[2 - c] * 255u + p[3] / 2) / p[3] : 0;
            rgba[i * 4 + (unsigned)c] = (uint8_t)(v > 255 ? 255 : v);
        }
        rgba[i * 4 + 3] = p[3];
    }
    bool ok = rgba && png_image_write_get_memory_size(im, n, 0, rgba, 0, NULL) && (png = malloc(n)) &&
              png_image_write_to_memory(&im, png, &n, 0, rgba, 0, NULL);
    free(rgba);
    if (!ok) {
        free(png);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "cannot encode a drawing: %s", im.message);
    }
    *png_p = png, *n_p = n;
    return IVL_OK;
}

ivl_status ivl_emoji_font_png(ivl_emoji_font *f, const char *sequence, uint32_t *glyph_p, uint8_t **png_p, size_t *n_p)
{
    *png_p = NULL, *n_p = 0;
    uint32_t glyph = shape(f, sequence);
    if (!glyph) { /* some sequences are drawn only with U+FE0F behind their first character */
        char with[300];
        size_t first = 1;
        while (((unsigned char)sequence[first] & 0xc0) == 0x80) first++;
        snprintf(with, sizeof with, "%.*s\xEF\xB8\x8F%s", (int)first, sequence, sequence + first);
        glyph = shape(f, with);
    }
    if (!glyph || FT_Load_Glyph(f->face, glyph, FT_LOAD_COLOR)) return IVL_OK;
    const FT_Bitmap *m = &f->face->glyph->bitmap;
    if (m->pixel_mode != FT_PIXEL_MODE_BGRA || !m->width || !m->rows || m->width > 1024 || m->rows > 1024) return IVL_OK;
    *glyph_p = glyph;
    return to_png(m, png_p, n_p);
}
