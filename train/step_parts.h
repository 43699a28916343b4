/* Inside of a training step: its plans, shared by recording (step_record.c) and running (step.c). */
#ifndef IVL_TRAIN_STEP_PARTS_H
#define IVL_TRAIN_STEP_PARTS_H

#include "train/step.h"

/* A graph and its plan. */
typedef struct ivl_step_part { ivl_graph *g; ivl_plan *plan; } ivl_step_part;

struct ivl_step {
    ivl_step_shape    shape;
    ivl_step_layout   layout;
    const ivl_params *params;
    ivl_device       *dev;
    /* whole: everything in one plan, or the last part (norm, AdamW) when micro-batches are used */
    ivl_step_part     features, loss, backward, update;
    bool              one;                 /* only `update` is used, and holds the whole step */
    ivl_val           image, text;         /* of features: what it computes */
    ivl_val           all_image, all_text; /* of loss: the whole batch's features, inputs */
    ivl_val           seed_image, seed_text;
    ivl_buffer        result, kept;        /* kept: features of the batch, then their gradients */
    size_t            feature_bytes;       /* of one micro-batch and one side */
};

/* All plans of the step's shape; the layout of its records. */
ivl_status ivl_step_record(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_step_rule *rule,
                           const ivl_plan_options *o);

#endif
