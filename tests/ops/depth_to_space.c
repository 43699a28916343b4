#include "tests/ops/cases.h"

static const struct { int64_t b, c, gap; int h, w; ivl_case_size size; } shapes[] = {
    { 1, 1, 0, 1, 1, IVL_TINY },    { 2, 37, 0, 3, 2, IVL_TINY },     { 1, 16, 64, 2, 5, IVL_TINY },
    { 3, 90, 5, 4, 3, IVL_NORMAL }, { 2, 128, 0, 7, 9, IVL_NORMAL },
};

void ivl_cases_depth_to_space(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, c = shapes[i].c, gap = shapes[i].gap, n = (int64_t)shapes[i].h * shapes[i].w;
        ivl_map_attr a = { shapes[i].h, shapes[i].w };
        ivl_case f = {
            .op = IVL_OP_depth_to_space,
            .size = shapes[i].size,
            .n_in = 2,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, n, 4 * c), .gap = gap },
                    { i == 2 ? IVL_ROLE_ABSENT : IVL_ROLE_T, IVL_DIMS(c) } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%dx%dx%lld gap %lld", (long long)b, a.h, a.w, (long long)c,
                 (long long)gap);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_depth_to_space_bwd,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, 4 * n, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, n, 4 * c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
        };
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
