#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_cast(g, ivl_gelu(g, leaf[0]), IVL_F64); }

static const ivl_grad_case cases[] = {
    { .name = "cast", .build = build, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 7) } } },
};

const ivl_grad_case *ivl_grads_cast(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
