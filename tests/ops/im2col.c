#include "tests/ops/cases.h"

static const struct { int64_t b, c, gap; ivl_map_attr a; ivl_case_size size; } shapes[] = {
    { 1, 1, 0, { 1, 1 }, IVL_TINY },    { 2, 7, 0, { 3, 4 }, IVL_TINY },     { 1, 16, 64, { 1, 5 }, IVL_TINY },
    { 2, 37, 5, { 7, 2 }, IVL_NORMAL }, { 1, 64, 0, { 14, 14 }, IVL_NORMAL }, { 3, 130, 0, { 2, 3 }, IVL_NORMAL },
};

void ivl_cases_im2col(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, c = shapes[i].c, gap = shapes[i].gap;
        ivl_map_attr a = shapes[i].a;
        int64_t tokens = (int64_t)a.h * a.w;
        ivl_case f = {
            .op = IVL_OP_im2col,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, tokens, c), .gap = gap } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%dx%dx%lld gap %lld", (long long)b, a.h, a.w, (long long)c,
                 (long long)gap);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_im2col_bwd,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, tokens, 9 * c), .gap = gap } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, tokens, c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
        };
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
