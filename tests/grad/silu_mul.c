#include "tests/grad/grad_check.h"

/* gate and up as the two halves of one tensor, as SwiGLU has them */
static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val h = ivl_gelu(g, leaf[0]);
    return ivl_silu_mul(g, ivl_slice(g, h, 0, 2), ivl_slice(g, h, 1, 2));
}

static ivl_val build_half(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val h = ivl_gelu(g, leaf[0]), part = ivl_slice(g, h, 1, 4);
    return ivl_silu_mul(g, part, part);
}

static const ivl_grad_case cases[] = {
    { .name = "silu_mul",
      .build = build,
      .n = 1,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 14), .draw = { IVL_DRAW_NORMAL, 0, 2 } } } },
    { .name = "silu_mul of one slice",
      .build = build_half,
      .n = 1,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 20) } } },
};

const ivl_grad_case *ivl_grads_silu_mul(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
