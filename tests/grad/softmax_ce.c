#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_softmax_ce(g, leaf[0], leaf[1], leaf[2], leaf[3], NULL);
}

/* Thirds of a batch, as stage 2 reads them. */
static ivl_val build_parts(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]), a = ivl_samples(g, x, 0, 3), b = ivl_samples(g, x, 3, 3);
    return ivl_add(g, ivl_softmax_ce(g, a, leaf[1], IVL_NONE, IVL_NONE, NULL),
                   ivl_softmax_ce(g, ivl_gelu(g, b), leaf[1], IVL_NONE, IVL_NONE, NULL));
}

#define NONE { IVL_ROLE_ABSENT }
#define LABELS { IVL_ROLE_I32, IVL_DIMS(6), .draw = { IVL_DRAW_INT, -2, 5 } }
#define TARGET { IVL_ROLE_S, IVL_DIMS(4, 5), .draw = { IVL_DRAW_UNIFORM, 0, 0.3 } }
static const ivl_grad_case cases[] = {
    { .name = "softmax_ce", .build = build, .n = 4,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 5) }, LABELS, NONE, NONE } },
    { .name = "softmax_ce of a distribution, scaled", .build = build, .n = 4,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(4, 5) }, NONE, TARGET,
                { IVL_ROLE_T, .draw = { IVL_DRAW_CONST, 1.2 } } } },
    { .name = "softmax_ce of parts", .build = build_parts, .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(6, 5) }, { IVL_ROLE_I32, IVL_DIMS(3), .draw = { IVL_DRAW_INT, 0, 5 } } } },
};

const ivl_grad_case *ivl_grads_softmax_ce(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
