#include "tests/ops/cases.h"

#include <math.h>

static ivl_status fix_bwd(const ivl_node *n)
{
    return ivl_case_forward(IVL_OP_contrastive, n->x, 6, (const ivl_tensor *[]){ NULL, n->x[6], n->x[7] }, 3, n->attr,
                            n->attr_bytes);
}

/* all 0: the local rows are the columns. */
static const struct { int64_t rows, all, row0, width; double smoothing; int ignore; ivl_case_size size; } shapes[] = {
    { 1, 0, 0, 1, 0, 0, IVL_TINY },      { 5, 0, 0, 7, 0.1, 0, IVL_TINY },     { 3, 9, 4, 5, 0.1, 1, IVL_TINY },
    { 64, 0, 0, 48, 0, 0, IVL_NORMAL },  { 37, 0, 0, 768, 0.2, 1, IVL_NORMAL }, { 33, 99, 66, 100, 0.1, 1, IVL_NORMAL },
    { 70, 210, 70, 64, 0, 0, IVL_NORMAL }, { 256, 0, 0, 768, 0, 0, IVL_LARGE },
};

static void add(ivl_case_list *list, size_t i)
{
    int64_t b = shapes[i].rows, all = shapes[i].all, w = shapes[i].width;
    ivl_contrastive_attr a = { .smoothing = shapes[i].smoothing, .row0 = shapes[i].row0 };
    ivl_draw unit = { IVL_DRAW_NORMAL, 0, 1 / sqrt((double)w) };
    ivl_case_tensor x = { IVL_ROLE_T, IVL_DIMS(b, w), .draw = unit };
    ivl_case_tensor y = { all ? IVL_ROLE_T : IVL_ROLE_ABSENT, IVL_DIMS(all, w), .draw = unit };
    ivl_case f = {
        .op = IVL_OP_contrastive, .size = shapes[i].size, .n_in = 6, .n_out = 3, .attr = &a, .attr_bytes = sizeof a,
        .in = { x, x, y, y, { IVL_ROLE_S, 0, { 0 }, .draw = { IVL_DRAW_CONST, 2.659, 0 } },
                { shapes[i].ignore ? IVL_ROLE_I32 : IVL_ROLE_ABSENT, IVL_DIMS(b), .draw = { IVL_DRAW_INT, 0, 2 } } },
        .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
    };
    if (i == 5) f.in[3].role = IVL_ROLE_ABSENT, a.row0 = 0; /* images gathered, texts local */
    snprintf(f.name, sizeof f.name, "%lldx%lld of %lld from %lld smoothing %g%s", (long long)b, (long long)w,
             (long long)all, (long long)a.row0, a.smoothing, shapes[i].ignore ? " ignore" : "");
    ivl_case_add(list, &f);
    ivl_case d = f;
    d.op = IVL_OP_contrastive_bwd, d.n_in = 9, d.n_out = 5, d.fix = fix_bwd, d.add_mask = (uint16_t)(i * 5 % 32);
    d.in[6] = d.in[7] = (ivl_case_tensor){ IVL_ROLE_S, IVL_DIMS(b), .gap = 0 };
    d.in[8] = (ivl_case_tensor){ IVL_ROLE_S, 0, { 0 }, .draw = { IVL_DRAW_CONST, 1.5, 0 } };
    for (int j = 0; j < 5; j++) d.out[j] = f.in[j];
    if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
    if (i == 2) d.out[3].role = IVL_ROLE_ABSENT;
    if (i == 3) d.out[4].role = IVL_ROLE_ABSENT;
    if (i == 6) d.out[0].role = d.out[1].role = IVL_ROLE_ABSENT;
    ivl_case_add(list, &d);
}

void ivl_cases_contrastive(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) add(list, i);
}
