/* From a picture of any size to x[S,S,3]: the reference's transforms. Resizing equals Pillow's
 * Image.resize(BICUBIC) bit for bit, so do the sizes and crops of torchvision's transforms on Pillow images;
 * random crops follow torchvision's algorithm on our counter-based random numbers. */
#ifndef IVL_DATA_TRANSFORM_H
#define IVL_DATA_TRANSFORM_H

#include <ivl/ivl.h>

#include "data/image.h"

/* Bicubic with antialias. The part box = x0, y0, x1, y1 (in pixels of src, may be fractional) becomes
 * dst[dh,dw,3], mirrored if asked. Pixels of src around the box take part at its edges, as in Pillow; to
 * exclude them pass a smaller view: src is the first pixel of a view sw x sh whose rows are `pitch` bytes
 * apart. */
ivl_status ivl_resize(const uint8_t *src, int sw, int sh, size_t pitch, const double box[4], uint8_t *dst,
                      int dw, int dh, bool mirror);

typedef enum ivl_fit {
    IVL_FIT_SQUASH, /* the whole picture, aspect not kept: retrieval, captioning */
    IVL_FIT_CENTER, /* short side to S, centre crop: classification */
    IVL_FIT_RANDOM, /* random resized crop: training */
    IVL_FIT_PAD     /* padded to a square with the mean colour, picture in the middle: chat (LLaVA's expand2square) */
} ivl_fit;

/* "squash", "center", "random", "pad". */
ivl_status  ivl_fit_parse(const char *name, ivl_fit *fit_p);
const char *ivl_fit_name(ivl_fit fit);

typedef struct ivl_transform {
    ivl_fit fit;
    int     size;               /* S */
    double  scale_lo, scale_hi; /* of IVL_FIT_RANDOM: share of the area; 0, 0 means 0.08, 1 */
    double  flip;               /* probability of mirroring, in every fit; 0: never */
} ivl_transform;

/* Part of the picture that is used. */
typedef struct ivl_crop { int x, y, w, h; bool flip; } ivl_crop;

/* The draw for row `row` of step `step`: a pure function of its arguments. */
ivl_crop ivl_crop_draw(const ivl_transform *t, int width, int height, uint64_t seed, uint64_t step,
                       uint32_t row);

/* Writes dst[S,S,3]. */
ivl_status ivl_transform_apply(const ivl_transform *t, const ivl_image *im, uint64_t seed, uint64_t step,
                               uint32_t row, uint8_t *dst);

/* The same of a picture as it was encoded, for fits that draw nothing; errors name it. */
ivl_status ivl_transform_picture(const ivl_transform *t, const ivl_picture *p, uint8_t *dst);

/* The least short side a decoded picture needs, so that a random crop of a scaled JPEG still has S real
 * pixels; 0 for the other fits, which are exact: they want the picture at full size. */
int ivl_transform_min_side(const ivl_transform *t);

#endif
