/* Sizes and operands of a contrastive node, for its reference and its implementations. */
#ifndef IVL_OPS_CONTRASTIVE_H
#define IVL_OPS_CONTRASTIVE_H

#include "ops/op.h"

typedef struct ivl_contrastive_dims {
    const ivl_tensor *image, *text, *all_image, *all_text, *logit_scale, *ignore; /* all_*: never NULL; ignore may be */
    int               rows, n_image, n_text, width, row0; /* rows of this process; columns of all */
    double            smoothing;
} ivl_contrastive_dims;

ivl_contrastive_dims ivl_contrastive_dims_of(const ivl_node *n);

#endif
