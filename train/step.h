/* One training step as plans: features, loss, backward, gradient norm, AdamW, cast of the master weights, clamp of the
 * logit scale. With micro == batch that is one plan. Else in stage 1 features of the micro-batches are computed first
 * and kept, the loss and its gradient come from the whole batch, and each micro-batch runs again with its features'
 * gradient as the seed; of conversations each micro-batch's gradient counts by its share of the step's tokens. Either
 * way it is exactly the gradient of the big batch, in a fixed order. */
#ifndef IVL_TRAIN_STEP_H
#define IVL_TRAIN_STEP_H

#include "model/chat.h"
#include "model/internvl.h"
#include "train/optimiser.h"

typedef enum ivl_step_stage { IVL_STEP_STAGE1, IVL_STEP_STAGE2, IVL_STEP_RETRIEVAL, IVL_STEP_CHAT } ivl_step_stage;

typedef struct ivl_step_shape {
    ivl_step_stage stage;
    int  batch, micro;  /* rows of a step; rows at a time (divides batch) */
    int  image_size;    /* pixels along a side */
    int  patches;       /* kept by masking; 0: all, without a keep list */
    int  text_len;      /* tokens, padding included */
    bool drop_path;     /* scales are part of the record */
    int  answers, pictures; /* of a conversation: tokens that are learnt, pictures (IVL_STEP_CHAT) */
    bool float_pixels;  /* f32[B,3,S,S] normalised (parity cases) instead of u8[B,S,S,3] */
} ivl_step_shape;

typedef struct ivl_step_rule {
    ivl_adamw_rule adamw;
    ivl_recompute  recompute;
} ivl_step_rule;

/* Bytes from the start of a batch record (of `micro` rows) to each part of it that the stage has. drop: 2 * layers rows
 * of f32[micro]; hyper: f32[ranges,4], see ivl_optimise (read by the last micro-batch). Stage 2 and retrieval have
 * three texts per sample, see ivl_stage2_input: ids, len, last, and itm, ignore, labels, same. */
typedef struct ivl_step_layout {
    size_t pixels, ids, len, last, keep, drop, itm, ignore, labels, same, hyper;
    size_t index, inverse, answer, predicts; /* conversations, see ivl_chat_input and ivl_chat_answers */
    size_t share; /* S: what this record's loss counts in the step's, where the step has several records */
    size_t bytes;
} ivl_step_layout;

/* The plans for one shape. Opaque; made for a device, or (dev NULL) from capabilities, to print only. */
typedef struct ivl_step ivl_step_plan;

typedef struct ivl_step_scope {
    const ivl_params       *params;
    const ivl_model_config *config;
    ivl_dtype               dtype;
    const ivl_tensor       *resize;  /* position matrix for this image size, NULL: same grid */
    const ivl_chat_config  *chat;    /* of a chat model, whose tower `config` is */
} ivl_step_scope;

ivl_status ivl_step_create(ivl_device *dev, const ivl_step_scope *scope, const ivl_step_shape *shape,
                           const ivl_step_rule *rule, const ivl_plan_options *options, ivl_step_plan **p_p);
void       ivl_step_destroy(ivl_step_plan *p);
/* Memory for all shapes of a run, shared (low and high resolution, say). */
ivl_status ivl_step_bind(ivl_step_plan *const *plans, int n);
const ivl_step_layout *ivl_step_layout_of(const ivl_step_plan *p);
/* Enqueues a step. slots[i]: the pinned record of micro-batch i, at its start; result: pinned, at result_off
 * receives IVL_STEP_RESULT floats; conversations with micro-batches: so many for each, whose losses and hits are its
 * own, and whose norm is in the last. No wait, no allocation. */
enum {
    IVL_STEP_LOSS, IVL_STEP_NORM, /* squared, of the gradient */ IVL_STEP_SCALE, /* logit_scale */
    IVL_STEP_ITM, IVL_STEP_ITC, IVL_STEP_ITG, /* losses */
    IVL_STEP_ITM_HITS, IVL_STEP_ITG_HITS,     /* share of right answers */
    IVL_STEP_HITS,                            /* conversations: share of tokens that are guessed right */
    IVL_STEP_RESULT = 16
};
ivl_status ivl_step_run(ivl_step_plan *p, ivl_stream *s, const ivl_buffer *slots, ivl_buffer result, size_t result_off);
/* After a run: the first node whose output is not finite, from running a micro-batch's record again (train/trace.h). */
ivl_status ivl_step_trace(ivl_step_plan *p, ivl_stream *s, ivl_buffer slot, bool *found_p, char *text, size_t n);
/* The plan of a whole step, for profiles; NULL with micro-batches. */
ivl_plan  *ivl_step_whole(const ivl_step_plan *p);
/* All plans, first the parts' names. */
void ivl_step_print(const ivl_step_plan *p, FILE *f, bool nodes);
ivl_plan_size ivl_step_sizes(const ivl_step_plan *p); /* sums; work and io: the largest */

#endif
