/* The drawings of a colour bitmap font (CBDT): a sequence of code points to the PNG that the font itself
 * holds. */
#ifndef IVL_DATA_EMOJI_FONT_H
#define IVL_DATA_EMOJI_FONT_H

#include <ivl/backend.h>

typedef struct ivl_emoji_font ivl_emoji_font;

ivl_status ivl_emoji_font_open(const char *path, ivl_emoji_font **font_p);
void       ivl_emoji_font_close(ivl_emoji_font *font);

/* The font's bytes for the sequence, valid until close; NULL if it does not draw it as one picture. */
const uint8_t *ivl_emoji_font_png(const ivl_emoji_font *font, const char *sequence, size_t *bytes_p);

#endif
