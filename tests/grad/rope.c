#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_rope(g, leaf[0], leaf[1], 2, 100, 0); }
static ivl_val build_adjacent(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_rope(g, leaf[0], leaf[1], 2, 100, 1);
}

#define X { IVL_ROLE_T, IVL_DIMS(2, 5, 12) }
static const ivl_grad_case cases[] = {
    { .name = "rope", .build = build, .n = 2, .leaf = { X, { IVL_ROLE_ABSENT } } },
    { .name = "rope by position",
      .build = build,
      .n = 2,
      .leaf = { X, { IVL_ROLE_I32, IVL_DIMS(2, 5), .draw = { IVL_DRAW_INT, 0, 50 } } } },
    { .name = "rope of neighbours", .build = build_adjacent, .n = 2, .leaf = { X, { IVL_ROLE_ABSENT } } },
};

const ivl_grad_case *ivl_grads_rope(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
