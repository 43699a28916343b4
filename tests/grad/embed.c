#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_embed(g, leaf[0], leaf[1]); }

#define IDS                                                                                                  \
    {                                                                                                        \
        IVL_ROLE_I32, IVL_DIMS(3, 4), .draw = { IVL_DRAW_INT, 0, 6 }                                         \
    } /* some ids come often, some never */
static const ivl_grad_case cases[] = {
    { .name = "embed", .build = build, .n = 2, .leaf = { { IVL_ROLE_T, IVL_DIMS(6, 5) }, IDS } },
    { .name = "embed, accumulated",
      .build = build,
      .n = 2,
      .accumulate = true,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(6, 5) }, IDS } },
};

const ivl_grad_case *ivl_grads_embed(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
