#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_residual(g, leaf[0], leaf[1], leaf[2], leaf[3]);
}

/* A stream through two blocks: x is read by the branch and passed on. */
static ivl_val build_stream(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    ivl_block_begin(g);
    x = ivl_residual(g, x, ivl_gelu(g, x), leaf[2], leaf[3]);
    ivl_block_end(g);
    ivl_block_begin(g);
    x = ivl_residual(g, x, ivl_gelu(g, ivl_add(g, x, leaf[1])), IVL_NONE, IVL_NONE);
    ivl_block_end(g);
    return x;
}

#define X { IVL_ROLE_T, IVL_DIMS(3, 2, 7) }
#define LS { IVL_ROLE_T, IVL_DIMS(7) }
#define SCALE { IVL_ROLE_F32, IVL_DIMS(3), .draw = { IVL_DRAW_INT, 0, 3 } }
#define NONE { IVL_ROLE_ABSENT }
static const ivl_grad_case cases[] = {
    { .name = "residual", .build = build, .n = 4, .leaf = { X, X, LS, SCALE } },
    { .name = "residual ls", .build = build, .n = 4, .leaf = { X, X, LS, NONE } },
    { .name = "residual scale", .build = build, .n = 4, .leaf = { X, X, NONE, SCALE } },
    { .name = "residual plain", .build = build, .n = 4, .leaf = { X, X, NONE, NONE } },
    { .name = "residual frozen ls",
      .build = build,
      .n = 4,
      .leaf = { X, X, { IVL_ROLE_S, IVL_DIMS(7) }, SCALE } },
    { .name = "residual stream", .build = build_stream, .n = 4, .leaf = { X, X, LS, SCALE } },
    { .name = "residual stream, recomputed",
      .build = build_stream,
      .n = 4,
      .recompute = IVL_RECOMPUTE_BLOCKS,
      .leaf = { X, X, LS, SCALE } },
};

const ivl_grad_case *ivl_grads_residual(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
