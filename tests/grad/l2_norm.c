#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_l2_norm(g, leaf[0]); }

static const ivl_grad_case cases[] = {
    { .name = "l2_norm",
      .build = build,
      .n = 1,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(4, 9), .draw = { IVL_DRAW_NORMAL, 1, 2 } } } },
};

const ivl_grad_case *ivl_grads_l2_norm(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
