#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_linear(g, leaf[0], leaf[1], leaf[2]); }

/* A layer as the model has it: GELU after the first product, a residual after the second; fusion rewrites
 * both. */
static ivl_val build_mlp(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    ivl_block_begin(g);
    ivl_val h = ivl_gelu(g, ivl_linear(g, x, leaf[1], leaf[2]));
    x = ivl_residual(g, x, ivl_linear(g, h, leaf[3], leaf[4]), leaf[5], leaf[6]);
    ivl_block_end(g);
    return ivl_gelu(g, x);
}

/* Slices of one product, as q, k and v are. */
static ivl_val build_slices(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val h = ivl_linear(g, leaf[0], leaf[1], IVL_NONE);
    return ivl_linear(g, ivl_slice(g, h, 1, 3), leaf[2], IVL_NONE);
}

#define MLP                                                                                                  \
    { IVL_ROLE_T, IVL_DIMS(2, 3, 5) }, { IVL_ROLE_T, IVL_DIMS(7, 5) }, { IVL_ROLE_T, IVL_DIMS(7) },          \
        { IVL_ROLE_T, IVL_DIMS(5, 7) }, { IVL_ROLE_T, IVL_DIMS(5) }, { IVL_ROLE_T, IVL_DIMS(5) },            \
    {                                                                                                        \
        IVL_ROLE_F32, IVL_DIMS(2), .draw = { IVL_DRAW_INT, 1, 3 }                                            \
    }
static const ivl_grad_case cases[] = {
    { .name = "linear",
      .build = build,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 5) },
                { IVL_ROLE_T, IVL_DIMS(7, 5) },
                { IVL_ROLE_T, IVL_DIMS(7) } } },
    { .name = "linear without bias, frozen weight",
      .build = build,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(4, 5) }, { IVL_ROLE_S, IVL_DIMS(7, 5) }, { IVL_ROLE_ABSENT } } },
    { .name = "linear of a slice",
      .build = build_slices,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 5) },
                { IVL_ROLE_T, IVL_DIMS(12, 5) },
                { IVL_ROLE_T, IVL_DIMS(6, 4) } } },
    { .name = "linear in a layer", .build = build_mlp, .n = 7, .leaf = { MLP } },
    { .name = "linear in a layer, recomputed",
      .build = build_mlp,
      .n = 7,
      .recompute = IVL_RECOMPUTE_BLOCKS,
      .leaf = { MLP } },
    { .name = "linear in a layer, accumulated",
      .build = build_mlp,
      .n = 7,
      .accumulate = true,
      .leaf = { MLP } },
};

const ivl_grad_case *ivl_grads_linear(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
