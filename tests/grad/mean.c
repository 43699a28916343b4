#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_mean(g, leaf[0]); }

/* The mean beside another reader, as attention pooling has it. */
static ivl_val build_both(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]), m = ivl_mean(g, x);
    return ivl_matmul(g, x, m, 0, 1);
}

static const ivl_grad_case cases[] = {
    { .name = "mean", .build = build, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 4, 9) } } },
    { .name = "mean, added", .build = build_both, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 4, 9) } } },
};

const ivl_grad_case *ivl_grads_mean(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
