#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_depth_to_space(g, leaf[0], leaf[1], 3, 2); }

static const ivl_grad_case cases[] = {
    { .name = "depth_to_space", .build = build, .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 6, 12) }, { IVL_ROLE_T, IVL_DIMS(3) } } },
    { .name = "depth_to_space, no bias", .build = build, .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 6, 12) }, { IVL_ROLE_ABSENT } } },
};

const ivl_grad_case *ivl_grads_depth_to_space(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
