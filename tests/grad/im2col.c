#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_im2col(g, leaf[0], 4, 3); }

/* A convolution over the channels of two maps: each with its part of the weights. */
static ivl_val build_parts(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val y[2];
    for (int i = 0; i < 2; i++)
        y[i] = ivl_linear(g, ivl_im2col(g, leaf[i], 4, 3), ivl_columns(g, leaf[2], 18 * i, 18), IVL_NONE);
    return ivl_add(g, y[0], y[1]);
}

static const ivl_grad_case cases[] = {
    { .name = "im2col", .build = build, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 12, 3) } } },
    { .name = "im2col, by parts of the channels",
      .build = build_parts,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 12, 2) }, { IVL_ROLE_T, IVL_DIMS(2, 12, 2) },
                { IVL_ROLE_T, IVL_DIMS(5, 36) } } },
};

const ivl_grad_case *ivl_grads_im2col(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
