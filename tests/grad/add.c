#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_add(g, leaf[0], leaf[1]); }

/* One value twice, and once more beyond: its gradient is shared, then added to. */
static ivl_val build_twice(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    ivl_val y = ivl_add(g, x, x);
    return ivl_add(g, ivl_add(g, x, y), ivl_add(g, leaf[1], ivl_gelu(g, y)));
}

static const ivl_grad_case cases[] = {
    { .name = "add",
      .build = build,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 7) }, { IVL_ROLE_T, IVL_DIMS(3, 7) } } },
    { .name = "add, one value often",
      .build = build_twice,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 7) }, { IVL_ROLE_T, IVL_DIMS(3, 7) } } },
    { .name = "add, accumulated",
      .build = build_twice,
      .n = 2,
      .accumulate = true,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 7) }, { IVL_ROLE_T, IVL_DIMS(3, 7) } } },
};

const ivl_grad_case *ivl_grads_add(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
