/* The end of a training step as nodes: gradient norm, AdamW, compute copies, the clamp of the logit scale. */
#ifndef IVL_TRAIN_OPTIMISER_H
#define IVL_TRAIN_OPTIMISER_H

#include "model/scope.h"

typedef struct ivl_adamw_rule {
    double beta1, beta2, eps, clip, max_logit_scale; /* clip, max_logit_scale: 0: none */
} ivl_adamw_rule;

/* hyper f32[ranges,4] has a row, see ivl_adamw, for every flat range of the parameters, in their order; those of frozen
 * ranges are not read. Returns the squared norm S[] of the whole gradient. */
ivl_val ivl_optimise(const ivl_scope *s, ivl_val hyper, const ivl_adamw_rule *rule);

#endif
