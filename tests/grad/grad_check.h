/* Gradient rules, checked once in f64 on the host: for a graph L(p) = <seed, out(p)>, the derivative along a
 * random direction u of each leaf, <dL/dp, u>, must equal (L(p + eps u) - L(p - eps u)) / 2 eps. The kernels
 * behind the rules are covered by tests/ops. */
#ifndef IVL_TESTS_GRAD_CHECK_H
#define IVL_TESTS_GRAD_CHECK_H

#include "tests/ops/cases.h"

enum { IVL_GRAD_MAX_LEAF = 12 };

typedef struct ivl_grad_case {
    const char     *name;
    /* Records the graph over its leaves (values of ivl_extern, IVL_NONE where absent); any shape comes out.
     */
    ivl_val       (*build)(ivl_graph *g, const ivl_val *leaf);
    int             n;
    /* Role T: f64, differentiated; S: f64, constant; F32, I32, U8: constants of that type. */
    ivl_case_tensor leaf[IVL_GRAD_MAX_LEAF];
    ivl_recompute   recompute;
    bool            accumulate;  /* gradients start from random values and are added to */
} ivl_grad_case;

/* The largest |<dL/dp, u> - difference quotient| / |dL/dp| over the leaves; seen[op] is set for every op that
 * was recorded (room for ivl_op_count()). */
ivl_status ivl_grad_check(const ivl_grad_case *c, bool *seen, double *error_p);

/* tests/grad/NAME.c defines ivl_grads_NAME: all cases about NAME, and how many there are. */
#define GRADS(name) const ivl_grad_case *ivl_grads_##name(int *n_p);
#include "tests/grad/grads.list.h"
#undef GRADS

#endif
