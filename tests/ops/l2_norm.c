#include "tests/ops/cases.h"

static ivl_status fix_bwd(const ivl_node *n)
{
    return ivl_case_forward(IVL_OP_l2_norm, n->x, 1, (const ivl_tensor *[]){ NULL, n->x[1] }, 2, NULL, 0);
}

static const struct {
    int64_t b, c, gap;
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 0, IVL_TINY },      { 3, 37, 0, IVL_TINY },     { 5, 64, 64, IVL_TINY },
    { 19, 257, 7, IVL_NORMAL }, { 64, 768, 0, IVL_NORMAL },
};

void ivl_cases_l2_norm(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, c = shapes[i].c, gap = shapes[i].gap;
        ivl_case f = {
            .op = IVL_OP_l2_norm,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 2,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, c), .gap = gap, .draw = { IVL_DRAW_NORMAL, 0.1, 3 } } },
            .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lld gap %lld", (long long)b, (long long)c, (long long)gap);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_l2_norm_bwd,
            .size = shapes[i].size,
            .n_in = 3,
            .n_out = 1,
            .in = { f.in[0], { IVL_ROLE_S, IVL_DIMS(b) }, { IVL_ROLE_T, IVL_DIMS(b, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
            .fix = fix_bwd,
        };
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
