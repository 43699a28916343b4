#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_vit_tokens(g, leaf[0], leaf[1], leaf[2], leaf[3]);
}

#define X { IVL_ROLE_T, IVL_DIMS(2, 4, 5) }
#define CLS { IVL_ROLE_T, IVL_DIMS(5) }
static const ivl_grad_case cases[] = {
    { .name = "vit_tokens",
      .build = build,
      .n = 4,
      .leaf = { X, CLS, { IVL_ROLE_T, IVL_DIMS(5, 5) }, { IVL_ROLE_ABSENT } } },
    { .name = "vit_tokens, masked",
      .build = build,
      .n = 4,
      .leaf = { X,
                CLS,
                { IVL_ROLE_T, IVL_DIMS(10, 5) },
                { IVL_ROLE_I32, IVL_DIMS(2, 4), .draw = { IVL_DRAW_INT, 0, 9 } } } },
};

const ivl_grad_case *ivl_grads_vit_tokens(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
