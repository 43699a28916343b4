#include "tests/ops/cases.h"

static ivl_status fix_bwd(const ivl_node *n)
{
    const ivl_tensor *x[] = { n->x[0], n->x[1] };
    return ivl_case_forward(IVL_OP_rms_norm, x, 2, (const ivl_tensor *[]){ NULL, n->x[2] }, 2, n->attr,
                            n->attr_bytes);
}

static const struct {
    int64_t b, n, c, gap;
    ivl_case_size size;
} shapes[] = {
    { 1, 9, 1, 0, IVL_TINY },      { 1, 3, 37, 0, IVL_TINY },        { 2, 5, 64, 64, IVL_TINY },
    { 2, 19, 257, 7, IVL_NORMAL }, { 1, 257, 384, 768, IVL_NORMAL }, { 1, 4, 3200, 0, IVL_NORMAL },
};

void ivl_cases_rms_norm(ivl_case_list *list)
{
    ivl_norm_attr a = { 1e-6 };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, n = shapes[i].n, c = shapes[i].c, gap = shapes[i].gap;
        ivl_case f = {
            .op = IVL_OP_rms_norm,
            .size = shapes[i].size,
            .n_in = 2,
            .n_out = 2,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap, .draw = { IVL_DRAW_NORMAL, 0.1, 2 } },
                    { IVL_ROLE_T, IVL_DIMS(c), .draw = { IVL_DRAW_NORMAL, 1, 0.1 } } },
            .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lldx%lld gap %lld", (long long)b, (long long)n, (long long)c,
                 (long long)gap);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_rms_norm_bwd,
            .size = shapes[i].size,
            .n_in = 4,
            .n_out = 2,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { f.in[0], f.in[1], { IVL_ROLE_S, IVL_DIMS(b * n) }, { IVL_ROLE_T, IVL_DIMS(b, n, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap }, { IVL_ROLE_S, IVL_DIMS(c) } },
            .add_mask = (uint16_t)(i % 4),
            .fix = fix_bwd,
        };
        if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
        if (i == 2) d.out[1].role = IVL_ROLE_ABSENT;
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
