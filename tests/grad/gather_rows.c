#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_gather_rows(g, leaf[0], leaf[1]); }

/* Rows of a value that others read as well. */
static ivl_val build_both(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    return ivl_matmul(g, ivl_gather_rows(g, x, leaf[1]), x, 0, 1);
}

#define INDEX { IVL_ROLE_I32, IVL_DIMS(3), .draw = { IVL_DRAW_INT, 0, 4 } }
static const ivl_grad_case cases[] = {
    { .name = "gather_rows", .build = build, .n = 2, .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 4, 9) }, INDEX } },
    { .name = "gather_rows, added",
      .build = build_both,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 4, 9) }, INDEX } },
};

const ivl_grad_case *ivl_grads_gather_rows(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
