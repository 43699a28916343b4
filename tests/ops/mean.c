#include "tests/ops/cases.h"

static const struct {
    int64_t b, n, c, gap;
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 1, 0, IVL_TINY },     { 2, 3, 37, 0, IVL_TINY },      { 2, 5, 64, 64, IVL_TINY },
    { 3, 31, 90, 6, IVL_NORMAL }, { 2, 257, 384, 0, IVL_NORMAL }, { 1, 9, 3200, 8, IVL_NORMAL },
};

void ivl_cases_mean(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, n = shapes[i].n, c = shapes[i].c, gap = shapes[i].gap;
        ivl_case f = {
            .op = IVL_OP_mean,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap, .draw = { IVL_DRAW_NORMAL, 0.1, 2 } } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lldx%lld gap %lld", (long long)b, (long long)n, (long long)c,
                 (long long)gap);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_mean_bwd,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, 1, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
        };
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
