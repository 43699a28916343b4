#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_layer_norm(g, leaf[0], leaf[1], leaf[2], 1e-5);
}

static const ivl_grad_case cases[] = {
    { .name = "layer_norm",
      .build = build,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 9), .draw = { IVL_DRAW_NORMAL, 1, 2 } },
                { IVL_ROLE_T, IVL_DIMS(9) },
                { IVL_ROLE_T, IVL_DIMS(9) } } },
    { .name = "layer_norm, frozen weight",
      .build = build,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 9) },
                { IVL_ROLE_S, IVL_DIMS(9) },
                { IVL_ROLE_T, IVL_DIMS(9) } } },
};

const ivl_grad_case *ivl_grads_layer_norm(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
