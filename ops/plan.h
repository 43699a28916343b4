/* Inside of a plan. It owns copies of the graph's tensors and nodes, so one graph may have several plans. */
#ifndef IVL_OPS_PLAN_H
#define IVL_OPS_PLAN_H

#include "ops/graph.h"
#include "ops/linears.h"
#include "ops/memplan.h"
#include "ops/quirks.h"

/* A temporary kept out of the way of its neighbours on the checking device. */
enum { IVL_GUARD_BYTES = 256 };

typedef struct ivl_step {
    ivl_node        n;
    const ivl_impl *impl;
    ivl_prep       *prep;
    int             param[IVL_MAX_PARAM];
    size_t          scratch;      /* bytes */
    int             scratch_item; /* in items */
} ivl_step;

/* io and work memory, shared by the plans of a set. */
typedef struct ivl_arena {
    int        refs;
    ivl_buffer io, slab[IVL_MAX_SLABS];
} ivl_arena;

struct ivl_plan {
    ivl_device        *dev;     /* NULL: planned from caps */
    const ivl_backend *backend; /* may be NULL with dev NULL */
    const ivl_caps    *caps;
    const ivl_graph   *graph;
    int                n_value, n_step, n_item;
    ivl_tensor        *t;       /* of every value */
    ivl_step          *step;
    ivl_linears_attr  *linears; /* attributes of steps that fusion made; [n_step] */
    ivl_mem_item      *item;    /* one per value (roots of temporaries), then one per step's scratch */
    size_t            *io_off;  /* of inputs, by value */
    size_t             io_bytes;
    ivl_mem_slabs      slabs;
    ivl_arena         *arena;
};

/* The implementation of n: `force` by name if it fits, else the highest rank that fits among the backend's
 * rows and the portable ones. One that the device gets wrong does not fit. */
ivl_status ivl_choose_impl(const ivl_backend *b, const ivl_caps *c, const ivl_quirks *quirks, const ivl_node *n,
                           const char *force, const ivl_impl **impl_p);
/* Rewrites neighbouring steps into fused ops. */
void ivl_fuse(ivl_plan *p);
/* Drops steps whose results nobody reads. */
void ivl_drop_dead(ivl_plan *p);
/* Replaces the step's ids by pointers to the plan's tensors. */
void ivl_step_link(ivl_plan *p, ivl_step *s);

#endif
