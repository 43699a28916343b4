/* Drawings of a colour emoji font: a sequence to a PNG with alpha. */
#ifndef IVL_DATA_EMOJI_FONT_H
#define IVL_DATA_EMOJI_FONT_H

#include <ivl/backend.h>

typedef struct ivl_emoji_font ivl_emoji_font;
ivl_status ivl_emoji_font_open(const char *path, ivl_emoji_font **f_p);
void       ivl_emoji_font_close(ivl_emoji_font *f);
/* *png_p (freed by the caller) is NULL if the font has no single drawing for the sequence. *glyph_p tells drawings apart. */
ivl_status ivl_emoji_font_png(ivl_emoji_font *f, const char *sequence, uint32_t *glyph_p, uint8_t **png_p, size_t *n_p);

#endif
