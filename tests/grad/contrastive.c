#include "tests/grad/grad_check.h"

static ivl_val loss(ivl_graph *g, const ivl_val *leaf, double smoothing, int64_t row0)
{
    ivl_contrastive_attr a = { smoothing, row0 };
    return ivl_contrastive(g, leaf[0], leaf[1], leaf[2], leaf[3], leaf[4], leaf[5], a);
}

static ivl_val build(ivl_graph *g, const ivl_val *leaf) { return loss(g, leaf, 0, 0); }
static ivl_val build_smooth(ivl_graph *g, const ivl_val *leaf) { return loss(g, leaf, 0.1, 0); }
static ivl_val build_part(ivl_graph *g, const ivl_val *leaf) { return loss(g, leaf, 0.1, 2); }

/* From features, as the model has it. */
static ivl_val build_norm(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val in[6] = {
        ivl_l2_norm(g, leaf[0]), ivl_l2_norm(g, leaf[1]), IVL_NONE, IVL_NONE, leaf[4], leaf[5]
    };
    return loss(g, in, 0, 0);
}

#define X { IVL_ROLE_T, IVL_DIMS(4, 5), .draw = { IVL_DRAW_NORMAL, 0, 0.5 } }
#define ALL { IVL_ROLE_T, IVL_DIMS(9, 5), .draw = { IVL_DRAW_NORMAL, 0, 0.5 } }
#define SCALE { IVL_ROLE_T, .draw = { IVL_DRAW_CONST, 1.5 } }
#define IGNORE { IVL_ROLE_I32, IVL_DIMS(4), .draw = { IVL_DRAW_INT, 0, 2 } }
#define NONE { IVL_ROLE_ABSENT }
static const ivl_grad_case cases[] = {
    { .name = "contrastive", .build = build, .n = 6, .leaf = { X, X, NONE, NONE, SCALE, NONE } },
    { .name = "contrastive, smoothed",
      .build = build_smooth,
      .n = 6,
      .leaf = { X, X, NONE, NONE, SCALE, NONE } },
    { .name = "contrastive, part of a batch",
      .build = build_part,
      .n = 6,
      .leaf = { X, X, ALL, ALL, SCALE, IGNORE } },
    { .name = "contrastive of features",
      .build = build_norm,
      .n = 6,
      .leaf = { X, X, NONE, NONE, SCALE, IGNORE } },
};

const ivl_grad_case *ivl_grads_contrastive(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
