#include "tests/grad/grad_check.h"

static ivl_val train(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_batch_norm(g, leaf[0], leaf[1], leaf[2], leaf[3], leaf[4], (ivl_batch_norm_attr){ 1e-6, 0.1, 1 });
}

static ivl_val given(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_batch_norm(g, leaf[0], leaf[1], leaf[2], leaf[3], leaf[4], (ivl_batch_norm_attr){ 1e-5, 0.1, 0 });
}

#define LEAVES                                                                                               \
    .n = 5,                                                                                                  \
    .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 5, 7), .draw = { IVL_DRAW_NORMAL, 1, 2 } },                          \
              { IVL_ROLE_T, IVL_DIMS(7) },                                                                   \
              { IVL_ROLE_T, IVL_DIMS(7) },                                                                   \
              { IVL_ROLE_S, IVL_DIMS(7) },                                                                   \
              { IVL_ROLE_S, IVL_DIMS(7), .draw = { IVL_DRAW_UNIFORM, 0.5, 2 } } }

static const ivl_grad_case cases[] = {
    { .name = "batch_norm, train", .build = train, LEAVES },
    { .name = "batch_norm, given statistics", .build = given, LEAVES },
    { .name = "batch_norm, added", .build = train, .accumulate = true, LEAVES },
};

const ivl_grad_case *ivl_grads_batch_norm(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
