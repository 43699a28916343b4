/* A frozen InternViT over whole data sets: features of every picture in one table on the device, which heads are then
 * trained on. */
#ifndef IVL_TRAIN_FROZEN_H
#define IVL_TRAIN_FROZEN_H

#include <ivl/ops.h>

#include "data/record.h"
#include "data/transform.h"

typedef struct ivl_frozen ivl_frozen;

typedef struct ivl_frozen_options {
    const char   *model;
    ivl_dtype     compute;    /* of weights, activations and the table */
    int           batch;      /* pictures at a time */
    int           image_size; /* 0: the model's; positions are resized to another */
    int           maps;       /* patch tokens of so many blocks' outputs; 0: [class token, mean of patches] of the
                               * last */
    int           layer;      /* maps: the output of this many blocks and, evenly spaced, of fewer; 0: one map is of
                               * ViT-6B's 45 of 48, several end with the last block */
    ivl_fit       fit;
    void        (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
    void         *ctx;
} ivl_frozen_options;

ivl_status ivl_frozen_open(const ivl_frozen_options *o, ivl_device *dev, ivl_stream *s, ivl_frozen **f_p);
void       ivl_frozen_close(ivl_frozen *f);

enum { IVL_FROZEN_MAPS = 4 };
typedef struct ivl_frozen_shape { int width, grid, image_size, layer[IVL_FROZEN_MAPS]; } ivl_frozen_shape;
ivl_frozen_shape ivl_frozen_shape_of(const ivl_frozen *f);

/* Features of records record[n], each in `views` views: table[n * views, row], row = 2 width, or maps * grid^2 * width,
 * in a buffer of its own, which the caller releases. views 0: one view, by the options' fit; else random crops and
 * mirrors by (seed, record, view). */
ivl_status ivl_frozen_table(ivl_frozen *f, const ivl_dataset *ds, const int64_t *record, int64_t n, int views,
                            uint64_t seed, ivl_tensor *table_p);

#endif
