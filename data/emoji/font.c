/* HarfBuzz shapes a sequence; a font that knows it makes one glyph of it, whose PNG is taken as it stands. */
#include "data/emoji/font.h"
#include "data/emoji/emoji.h"

#include <stdlib.h>
#include <string.h>

#include <hb-ot.h>
#include <hb.h>

#include "runtime/file.h"

struct ivl_emoji_font {
    ivl_map map;
    hb_face_t *face;
    hb_font_t *font;
    hb_buffer_t *buffer;
};

static ivl_status open_face(ivl_emoji_font *f, const char *path)
{
    hb_blob_t *blob =
        hb_blob_create(f->map.data, (unsigned)f->map.bytes, HB_MEMORY_MODE_READONLY, NULL, NULL);
    f->face = hb_face_create(blob, 0);
    hb_blob_destroy(blob);
    f->font = hb_font_create(f->face);
    f->buffer = hb_buffer_create();
    IVL_CHECK(
        hb_face_get_glyph_count(f->face) && hb_ot_color_has_png(f->face), IVL_EFORMAT,
        "%s: not a font with colour bitmaps (CBDT); the one of fonts-noto-color-emoji is " IVL_EMOJI_FONT,
        path);
    return IVL_OK;
}

ivl_status ivl_emoji_font_open(const char *path, ivl_emoji_font **font_p)
{
    ivl_emoji_font *f = calloc(1, sizeof *f);
    IVL_CHECK(f, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_map_open(path, &f->map);
    if (s != IVL_OK)
        s = ivl_fail(s, __FILE__, __LINE__,
                     "%s: install the font (apt-get install fonts-noto-color-emoji) or name one with --font",
                     ivl_last_error());
    else if (f->map.bytes > UINT32_MAX)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %zu bytes are too large for a font", path,
                     f->map.bytes);
    else
        s = open_face(f, path);
    if (s != IVL_OK) {
        ivl_emoji_font_close(f);
        return s;
    }
    *font_p = f;
    return IVL_OK;
}

void ivl_emoji_font_close(ivl_emoji_font *f)
{
    if (!f) return;
    hb_buffer_destroy(f->buffer);
    hb_font_destroy(f->font);
    hb_face_destroy(f->face);
    ivl_map_close(&f->map);
    free(f);
}

const uint8_t *ivl_emoji_font_png(const ivl_emoji_font *f, const char *sequence, size_t *bytes_p)
{
    static const char signature[] = "\x89PNG\r\n\x1a\n";
    unsigned n = 0, bytes = 0;
    hb_buffer_reset(f->buffer);
    hb_buffer_add_utf8(f->buffer, sequence, -1, 0, -1);
    hb_buffer_guess_segment_properties(f->buffer);
    hb_shape(f->font, f->buffer, NULL, 0);
    const hb_glyph_info_t *glyph = hb_buffer_get_glyph_infos(f->buffer, &n);
    if (n != 1 || !glyph[0].codepoint) return NULL;
    hb_blob_t *png = hb_ot_color_glyph_reference_png(f->font, glyph[0].codepoint);
    const char *data = hb_blob_get_data(png, &bytes);
    hb_blob_destroy(png); /* the bytes are the mapping's */
    if (bytes < 8 || memcmp(data, signature, 8)) return NULL;
    *bytes_p = bytes;
    return (const uint8_t *)data;
}
