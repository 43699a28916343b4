#include "tests/ops/cases.h"

static ivl_status fix_bwd(const ivl_node *n)
{
    const ivl_tensor *y[] = { NULL, n->x[2], n->x[3] };
    /* the bias has no part in the statistics: any vector of the width will do */
    const ivl_tensor *x[] = { n->x[0], n->x[1], n->x[1] };
    return ivl_case_forward(IVL_OP_layer_norm, x, 3, y, 3, n->attr, n->attr_bytes);
}

/* mean far from 0: the variance must not suffer */
static const struct {
    int64_t b, n, c, gap;
    double mean;
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 2, 0, 0, IVL_TINY },      { 1, 3, 37, 0, 30, IVL_TINY },     { 2, 5, 64, 64, 0.5, IVL_TINY },
    { 3, 31, 90, 6, 1, IVL_NORMAL },  { 1, 257, 384, 0, 2, IVL_NORMAL }, { 1, 4, 3200, 0, 0.1, IVL_NORMAL },
    { 2, 700, 384, 0, 0, IVL_LARGE },
};

static void add(ivl_case_list *list, size_t i)
{
    int64_t b = shapes[i].b, n = shapes[i].n, c = shapes[i].c, gap = shapes[i].gap;
    ivl_norm_attr a = { 1e-5 };
    ivl_case f = {
        .op = IVL_OP_layer_norm,
        .size = shapes[i].size,
        .n_in = 3,
        .n_out = 3,
        .attr = &a,
        .attr_bytes = sizeof a,
        .in = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap, .draw = { IVL_DRAW_NORMAL, shapes[i].mean, 2 } },
                { IVL_ROLE_T, IVL_DIMS(c), .draw = { IVL_DRAW_NORMAL, 1, 0.1 } },
                { IVL_ROLE_T, IVL_DIMS(c), .draw = { IVL_DRAW_NORMAL, 0, 0.1 } } },
        .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
    };
    snprintf(f.name, sizeof f.name, "%lldx%lldx%lld gap %lld", (long long)b, (long long)n, (long long)c,
             (long long)gap);
    ivl_case_add(list, &f);
    ivl_case d = {
        .op = IVL_OP_layer_norm_bwd,
        .size = shapes[i].size,
        .n_in = 5,
        .n_out = 3,
        .attr = &a,
        .attr_bytes = sizeof a,
        .in = { f.in[0],
                f.in[1],
                { IVL_ROLE_S, IVL_DIMS(b * n) },
                { IVL_ROLE_S, IVL_DIMS(b * n) },
                { IVL_ROLE_T, IVL_DIMS(b, n, c) } },
        .out = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap },
                 { IVL_ROLE_S, IVL_DIMS(c) },
                 { IVL_ROLE_S, IVL_DIMS(c) } },
        .add_mask = (uint16_t)(i % 4 * 3 % 8),
        .fix = fix_bwd,
    };
    if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
    if (i == 2) d.out[1].role = d.out[2].role = IVL_ROLE_ABSENT;
    if (i == 3) d.out[1].role = IVL_ROLE_ABSENT;
    snprintf(d.name, sizeof d.name, "%s", f.name);
    ivl_case_add(list, &d);
}

void ivl_cases_layer_norm(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) add(list, i);
}
