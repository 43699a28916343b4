#include "tests/ops/cases.h"

static const struct { int64_t b, c, gap; ivl_resize2d_attr a; ivl_case_size size; } shapes[] = {
    { 1, 1, 0, { 1, 1, 3, 2 }, IVL_TINY },       { 2, 7, 0, { 3, 3, 6, 6 }, IVL_TINY },
    { 1, 16, 64, { 4, 5, 4, 5 }, IVL_TINY },     { 2, 37, 5, { 7, 5, 3, 2 }, IVL_TINY },
    { 2, 21, 0, { 4, 6, 17, 13 }, IVL_NORMAL },  { 1, 3, 0, { 3, 14, 42, 5 }, IVL_NORMAL },
    { 1, 151, 0, { 8, 8, 28, 28 }, IVL_NORMAL }, { 1, 5, 0, { 40, 33, 1, 2 }, IVL_NORMAL },
};

void ivl_cases_resize2d(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, c = shapes[i].c, gap = shapes[i].gap;
        ivl_resize2d_attr a = shapes[i].a;
        int64_t from = (int64_t)a.h * a.w, to = (int64_t)a.to_h * a.to_w;
        ivl_case f = {
            .op = IVL_OP_resize2d,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, from, c), .gap = gap } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%dx%dx%lld to %dx%d", (long long)b, a.h, a.w, (long long)c, a.to_h,
                 a.to_w);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_resize2d_bwd,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, to, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, from, c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
        };
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
