#include "tests/grad/grad_check.h"

static ivl_val build_nn(ivl_graph *g, const ivl_val *leaf) { return ivl_matmul(g, leaf[0], leaf[1], 0, 0); }
static ivl_val build_nt(ivl_graph *g, const ivl_val *leaf) { return ivl_matmul(g, leaf[0], leaf[1], 0, 1); }
static ivl_val build_tn(ivl_graph *g, const ivl_val *leaf) { return ivl_matmul(g, leaf[0], leaf[1], 1, 0); }
static ivl_val build_tt(ivl_graph *g, const ivl_val *leaf) { return ivl_matmul(g, leaf[0], leaf[1], 1, 1); }

/* Both factors are slices of values that others read too. */
static ivl_val build_slices(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val a = ivl_gelu(g, leaf[0]);
    return ivl_matmul(g, ivl_slice(g, a, 0, 2), ivl_slice(g, a, 1, 2), 0, 1);
}

static const ivl_grad_case cases[] = {
    { .name = "matmul NN",
      .build = build_nn,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 3, 5) }, { IVL_ROLE_T, IVL_DIMS(5, 4) } } },
    { .name = "matmul NT",
      .build = build_nt,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 5) }, { IVL_ROLE_T, IVL_DIMS(4, 5) } } },
    { .name = "matmul TN",
      .build = build_tn,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(5, 3) }, { IVL_ROLE_T, IVL_DIMS(5, 4) } } },
    { .name = "matmul TT",
      .build = build_tt,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(5, 3) }, { IVL_ROLE_T, IVL_DIMS(4, 5) } } },
    { .name = "matmul of slices",
      .build = build_slices,
      .n = 1,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 10) } } },
};

const ivl_grad_case *ivl_grads_matmul(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
