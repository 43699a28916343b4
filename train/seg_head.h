/* The heads that ivl_seg trains on features of a frozen encoder. */
#ifndef IVL_TRAIN_SEG_HEAD_H
#define IVL_TRAIN_SEG_HEAD_H

#include "model/heads.h"

typedef struct ivl_seg_shape {
    int64_t width, channels, classes; /* channels: within the head, if it has inner ones */
    int     grid, side;               /* of the feature maps; of the label maps */
} ivl_seg_shape;

typedef struct ivl_seg_head_kind {
    const char *name, *task;
    int         maps;             /* of so many blocks' outputs */
    int         batch, grid;      /* pictures of a step, and patches of a picture's side, that it needs at least */
    double      decay;            /* of weights (InternVL 2312.14238, Table 23) */
    int64_t   (*channels)(int64_t width); /* where none are asked for; NULL: it has no inner ones */
    ivl_status (*add)(ivl_heads *h, const ivl_seg_shape *s);
    /* From feature rows f32[B,maps*grid^2*width]; shape is an ivl_seg_shape. -> [B,side^2,classes]; as head_fit.h has
     * them. */
    ivl_val   (*logits)(const ivl_head_scope *s, ivl_val rows, const void *shape, ivl_val *auxiliary_p);
} ivl_seg_head_kind;

/* "linear", "upernet"; NULL: the first. IVL_EINVAL lists them. */
ivl_status ivl_seg_head_find(const char *name, const ivl_seg_head_kind **kind_p);

#endif
