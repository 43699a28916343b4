#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_place_rows(g, leaf[0], ivl_gelu(g, leaf[1]), leaf[2], leaf[3]);
}

/* Indices are drawn alike, so either no row is placed, or the only one. */
static const ivl_grad_case cases[] = {
    { .name = "place_rows, none", .build = build, .n = 4,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(1, 3, 4) }, { IVL_ROLE_T, IVL_DIMS(2, 4) },
                { IVL_ROLE_I32, IVL_DIMS(3), .draw = { IVL_DRAW_CONST, -1, 0 } },
                { IVL_ROLE_I32, IVL_DIMS(2), .draw = { IVL_DRAW_CONST, -1, 0 } } } },
    { .name = "place_rows, one", .build = build, .n = 4,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(1, 1, 4) }, { IVL_ROLE_T, IVL_DIMS(1, 4) },
                { IVL_ROLE_I32, IVL_DIMS(1), .draw = { IVL_DRAW_CONST, 0, 0 } },
                { IVL_ROLE_I32, IVL_DIMS(1), .draw = { IVL_DRAW_CONST, 0, 0 } } } },
};

const ivl_grad_case *ivl_grads_place_rows(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
