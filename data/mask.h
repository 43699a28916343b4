/* Label maps: a class number per pixel, as grey or palette PNG of at most 8 bits, whose stored value (not the colour it
 * stands for) is the class; 255 is ignored. */
#ifndef IVL_DATA_MASK_H
#define IVL_DATA_MASK_H

#include <ivl/backend.h>

enum { IVL_MASK_IGNORE = 255 };

typedef struct ivl_mask_image { uint8_t *id; int width, height; } ivl_mask_image; /* id[height,width], owned */

/* Errors name `name`. */
ivl_status ivl_mask_decode(const void *bytes, size_t n, const char *name, ivl_mask_image *out_p);
void       ivl_mask_free(ivl_mask_image *m); /* accepts a zeroed one */

/* dst[h,w]: at each cell's centre, the label there. */
void ivl_mask_resize(const ivl_mask_image *m, int w, int h, uint8_t *dst);

#endif
