#include "tests/ops/cases.h"

static ivl_status fix_bwd(const ivl_node *n)
{
    return ivl_case_forward(IVL_OP_softmax_ce, n->x, 4, (const ivl_tensor *[]){ NULL, n->x[4], NULL }, 3, NULL, 0);
}

/* from: labels are drawn from there on; negative ones do not count. soft: a target instead */
static const struct { int64_t rows, cols, gap; int from, soft, scale; ivl_case_size size; } shapes[] = {
    { 1, 1, 0, 0, 0, 0, IVL_TINY },      { 5, 2, 0, -1, 0, 0, IVL_TINY },     { 4, 37, 3, -9, 0, 1, IVL_TINY },
    { 6, 6, 0, 0, 1, 1, IVL_TINY },      { 60, 97, 0, -30, 0, 0, IVL_NORMAL }, { 33, 6000, 0, 0, 0, 0, IVL_NORMAL },
    { 70, 70, 0, 0, 1, 1, IVL_NORMAL },    { 1501, 7, 0, -2, 0, 0, IVL_NORMAL },
     { 8, 49954, 0, -9999, 0, 0, IVL_LARGE },
};

void ivl_cases_softmax_ce(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t rows = shapes[i].rows, cols = shapes[i].cols;
        ivl_case f = {
            .op = IVL_OP_softmax_ce, .size = shapes[i].size, .n_in = 4, .n_out = 3,
            .in = { { IVL_ROLE_T, IVL_DIMS(rows, cols), .gap = shapes[i].gap, .draw = { IVL_DRAW_NORMAL, 0, 2 } },
                    { shapes[i].soft ? IVL_ROLE_ABSENT : IVL_ROLE_I32, IVL_DIMS(rows),
                      .draw = { IVL_DRAW_INT, shapes[i].from, (double)cols } },
                    { shapes[i].soft ? IVL_ROLE_S : IVL_ROLE_ABSENT, IVL_DIMS(rows, cols),
                      .draw = { IVL_DRAW_UNIFORM, 0, 0.05 } },
                    { shapes[i].scale ? IVL_ROLE_S : IVL_ROLE_ABSENT, 0, { 0 }, .draw = { IVL_DRAW_CONST, 1.5, 0 } } },
            .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lld%s%s", (long long)rows, (long long)cols,
                 shapes[i].soft ? " soft" : "", shapes[i].scale ? " scaled" : "");
        ivl_case_add(list, &f);
        ivl_case d = f;
        d.op = IVL_OP_softmax_ce_bwd, d.n_in = 6, d.n_out = 2, d.fix = fix_bwd, d.add_mask = (uint16_t)(i % 4);
        d.in[4] = (ivl_case_tensor){ IVL_ROLE_S, IVL_DIMS(rows), .gap = 0 };
        d.in[5] = (ivl_case_tensor){ IVL_ROLE_S, 0, { 0 }, .draw = { IVL_DRAW_CONST, 1.5, 0 } };
        d.out[0] = f.in[0], d.out[1] = f.in[3];
        if (i == 3) d.out[0].role = IVL_ROLE_ABSENT;
        ivl_case_add(list, &d);
    }
}
