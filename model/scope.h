/* What the model's parts record into: a graph, and the parameters by their public names. */
#ifndef IVL_MODEL_SCOPE_H
#define IVL_MODEL_SCOPE_H

#include <ivl/ops.h>

#include "model/config.h"
#include "model/params.h"

typedef struct ivl_scope {
    ivl_graph              *g;
    const ivl_params       *params;
    const ivl_model_config *c;
    ivl_dtype               dtype; /* storage type of activations and weights */
    bool                    train; /* trainable parameters take part in the backward pass */
} ivl_scope;

/* The parameter of this name as a value; a missing one is a sticky error. */
ivl_val ivl_weight(const ivl_scope *s, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* y[..,N] of x[..,K] by the linear of this name ("...attn.qkv"), its adapter (model/lora.h) included. */
ivl_val ivl_linear_of(const ivl_scope *s, ivl_val x, bool bias, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;
/* logit_scale in the type of statistics: its master copy where it trains, else the weight cast. */
ivl_val ivl_logit_scale(const ivl_scope *s);
/* The same as ivl_weight, seen with another shape. */
ivl_val ivl_weight_as(const ivl_scope *s, int rank, const int64_t *dim, const char *name);

#endif
