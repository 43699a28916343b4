#include "tests/ops/cases.h"

static const struct {
    int64_t b, c, gap;
    int h, w;
    bool ties; /* whole numbers, so that cells are equal */
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 0, 2, 2, false, IVL_TINY },   { 2, 37, 0, 3, 5, true, IVL_TINY },     { 1, 64, 64, 4, 6, false, IVL_TINY },
    { 2, 90, 5, 7, 2, true, IVL_NORMAL }, { 2, 384, 0, 14, 9, false, IVL_NORMAL },
};

void ivl_cases_max_pool(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, c = shapes[i].c, gap = shapes[i].gap, h = shapes[i].h, w = shapes[i].w;
        ivl_map_attr a = { shapes[i].h, shapes[i].w };
        ivl_case f = {
            .op = IVL_OP_max_pool,
            .size = shapes[i].size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, h * w, c), .gap = gap } },
            .out = { { IVL_ROLE_INFER } },
        };
        if (shapes[i].ties) f.in[0].draw = (ivl_draw){ IVL_DRAW_INT, -1, 2 };
        snprintf(f.name, sizeof f.name, "%lldx%lldx%lldx%lld gap %lld", (long long)b, (long long)h, (long long)w,
                 (long long)c, (long long)gap);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_max_pool_bwd,
            .size = shapes[i].size,
            .n_in = 2,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { f.in[0], { IVL_ROLE_T, IVL_DIMS(b, (h / 2) * (w / 2), c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, h * w, c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
        };
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
