/* linears: up to three products of one x. */
#ifndef IVL_OPS_LINEARS_H
#define IVL_OPS_LINEARS_H

#include "ops/op.h"

enum { IVL_LINEARS = 3 };

/* n->in: x, gain of the norm, then weight and bias of each; n->out: one y each, or one if gated. */
typedef struct ivl_linears_attr {
    int    n;
    int    gated; /* n = 2 without biases */
    int    norm;  /* there is one */
    double eps;
} ivl_linears_attr;

static inline const ivl_tensor *ivl_linears_weight(const ivl_node *n, int i) { return n->x[2 + 2 * i]; }
static inline const ivl_tensor *ivl_linears_bias(const ivl_node *n, int i) { return n->x[3 + 2 * i]; }

/* The arguments of kernels: x, gain, three times weight, bias and y; scratch; rows of the weights, which have biases;
 * k, norm, eps, gated. */
void ivl_linears_args(ivl_args *a, const ivl_node *n, ivl_buffer scratch, int64_t off_elements);

extern const ivl_impl ivl_linears_impls[1];

#endif
