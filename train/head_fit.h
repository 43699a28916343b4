/* Trains a head on a table of features and applies it. The table lies on the device; a step takes row numbers and
 * labels, and nothing else. */
#ifndef IVL_TRAIN_HEAD_FIT_H
#define IVL_TRAIN_HEAD_FIT_H

#include "model/heads.h"

enum { IVL_NO_LABEL = 0xffff };

/* A head: logits [B*per,classes] from feature rows f32[B,row]. In training auxiliary_p takes the logits of a second one
 * that trains along, if there is; else it is NULL. */
typedef struct ivl_head_task {
    ivl_heads *heads;
    ivl_val  (*logits)(const ivl_head_scope *s, ivl_val rows, const void *ctx, ivl_val *auxiliary_p);
    double     auxiliary_weight; /* of its loss, which is not reported */
    const void *ctx;
    int64_t    per, classes; /* labels of a row: 1, or the cells of a map */
} ivl_head_task;

typedef struct ivl_head_rows {
    ivl_tensor      table; /* [n*views,row] */
    int64_t         n;
    int             views; /* each row is drawn as one of so many views; 0 counts as 1 */
    const uint16_t *label; /* [n,per]; IVL_NO_LABEL does not count */
} ivl_head_rows;

typedef struct ivl_head_rule {
    bool     adamw;        /* AdamW (0.9, 0.999) with the rate falling linearly; else SGD (momentum) with a cosine */
    double   rate, momentum, decay, clip;
    double   warmup;       /* epochs */
    int      batch, epochs;
    uint64_t seed;
    void   (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
    void    *ctx;
} ivl_head_rule;

/* Means over an epoch. */
typedef struct ivl_head_epoch { double loss, hits; } ivl_head_epoch;

/* history (room for rule->epochs) receives every epoch. A batch larger than the data shrinks to it. */
ivl_status ivl_head_train(ivl_device *dev, ivl_stream *s, const ivl_head_task *t, const ivl_head_rows *rows,
                          const ivl_head_rule *rule, ivl_head_epoch *history);

/* Calls back with the logits [per,classes] of every row, in order. */
typedef void (*ivl_head_visit)(void *ctx, int64_t row, const float *logits);
ivl_status ivl_head_apply(ivl_device *dev, ivl_stream *s, const ivl_head_task *t, const ivl_head_rows *rows, int batch,
                          ivl_head_visit visit, void *ctx);

#endif
