#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_concat(g, leaf[0], leaf[1]); }

/* The first token of every row of a batch joined from shared and own tokens, which others read as well. */
static ivl_val build_tokens(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, ivl_join(g, leaf[0], leaf[1]));
    ivl_val y = ivl_join(g, ivl_gelu(g, ivl_tokens(g, x, 0, 2)), ivl_tokens(g, x, 2, 3));
    return ivl_add(g, x, y);
}

static ivl_val build_repeat(ivl_graph *g, const ivl_val *leaf) { return ivl_gelu(g, ivl_repeat(g, leaf[0], 3)); }

static const ivl_grad_case cases[] = {
    { .name = "repeat", .build = build_repeat, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(1, 2, 6) } } },
    { .name = "concat", .build = build, .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 4) }, { IVL_ROLE_T, IVL_DIMS(3, 7) } } },
    { .name = "concat, a row for all", .build = build, .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(1, 4) }, { IVL_ROLE_T, IVL_DIMS(3, 7) } } },
    { .name = "join and tokens", .build = build_tokens, .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(1, 2, 6) }, { IVL_ROLE_T, IVL_DIMS(3, 3, 6) } } },
};

const ivl_grad_case *ivl_grads_concat(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
