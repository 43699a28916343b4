/* What heads are built of; for the heads' own files. A module is a name such as "decode_head.lateral_convs.0.bn" less
 * the scope's prefix. */
#ifndef IVL_MODEL_HEAD_PARTS_H
#define IVL_MODEL_HEAD_PARTS_H

#include "model/heads.h"

/* MODULE.weight, .bias, .running_mean, .running_var. */
ivl_status ivl_heads_add_norm(ivl_heads *h, const char *prefix, const char *module, int64_t width);

/* Parameter MODULE.LEAF. */
ivl_val ivl_head_weight(const ivl_head_scope *s, const char *module, const char *leaf);
/* As a matrix: its first axis, and the rest. */
ivl_val ivl_head_matrix(const ivl_head_scope *s, const char *module);
ivl_val ivl_head_batch_norm(const ivl_head_scope *s, const char *module, ivl_val x, double eps);
/* A 1x1 convolution with bias, of tokens. */
ivl_val ivl_head_classify(const ivl_head_scope *s, const char *module, ivl_val x);

#define IVL_SEG_EPS 1e-5 /* of BatchNorm in segmentation heads */

#endif
