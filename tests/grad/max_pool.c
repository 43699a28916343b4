#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_max_pool(g, leaf[0], 5, 4); }

static const ivl_grad_case cases[] = {
    { .name = "max_pool", .build = build, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 20, 3) } } },
};

const ivl_grad_case *ivl_grads_max_pool(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
