#include "tests/grad/grad_check.h"

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return ivl_rms_norm(g, leaf[0], leaf[1], 1e-6); }

/* Two readers of x, one of them a slice: gradients are added up. */
static ivl_val build_slices(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_rms_norm(g, leaf[0], leaf[1], 1e-6);
    ivl_val a = ivl_rms_norm(g, ivl_slice(g, x, 0, 3), leaf[2], 1e-6);
    return ivl_rms_norm(g, a, leaf[2], 1e-3);
}

static const ivl_grad_case cases[] = {
    { .name = "rms_norm",
      .build = build,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 5, 9) }, { IVL_ROLE_T, IVL_DIMS(9) } } },
    { .name = "rms_norm, accumulated",
      .build = build,
      .n = 2,
      .accumulate = true,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 5, 9) }, { IVL_ROLE_T, IVL_DIMS(9) } } },
    { .name = "rms_norm of a slice",
      .build = build_slices,
      .n = 3,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 5, 9) },
                { IVL_ROLE_T, IVL_DIMS(9) },
                { IVL_ROLE_T, IVL_DIMS(3) } } },
};

const ivl_grad_case *ivl_grads_rms_norm(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
