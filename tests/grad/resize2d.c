#include "tests/grad/grad_check.h"

static ivl_val up(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_resize2d(g, leaf[0], (ivl_resize2d_attr){ 4, 5, 7, 12 });
}

static ivl_val down(ivl_graph *g, const ivl_val *leaf)
{
    return ivl_resize2d(g, leaf[0], (ivl_resize2d_attr){ 4, 5, 3, 2 });
}

static const ivl_grad_case cases[] = {
    { .name = "resize2d, larger", .build = up, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 20, 3) } } },
    { .name = "resize2d, smaller", .build = down, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 20, 3) } } },
};

const ivl_grad_case *ivl_grads_resize2d(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
