#include "tests/grad/grad_check.h"

/* Bins that overlap, and a side that grows. */
static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_avg_pool(g, leaf[0], (ivl_resize2d_attr){ 5, 4, 3, 6 });
}

static const ivl_grad_case cases[] = {
    { .name = "avg_pool", .build = build, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 20, 3) } } },
};

const ivl_grad_case *ivl_grads_avg_pool(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
