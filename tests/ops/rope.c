#include "tests/ops/cases.h"

static const struct { int64_t b, n, h, d; int pos, adjacent, inverse, gap; ivl_case_size size;
} shapes[] = {
    { 1, 1, 1, 2, 0, 0, 0, 0, IVL_TINY },       { 2, 5, 2, 6, 1, 0, 0, 0, IVL_TINY },
    { 2, 4, 3, 10, 0, 1, 1, 7, IVL_TINY },      { 2, 80, 5, 64, 0, 0, 0, 0, IVL_NORMAL },
    { 2, 80, 2, 128, 1, 0, 1, 64, IVL_NORMAL }, { 1, 33, 3, 24, 1, 1, 0, 0, IVL_NORMAL },
    { 1, 2048, 1, 64, 0, 0, 0, 0, IVL_NORMAL },
};

void ivl_cases_rope(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, n = shapes[i].n, c = shapes[i].h * shapes[i].d, gap = shapes[i].gap;
        ivl_rope_attr a = { .heads = (int)shapes[i].h, .theta = i == 4 ? 500000 : 10000, .adjacent = shapes[i].adjacent,
                            .inverse = shapes[i].inverse };
        ivl_case f = {
            .op = IVL_OP_rope,
            .size = shapes[i].size,
            .n_in = 2,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap },
                    { shapes[i].pos ? IVL_ROLE_I32 : IVL_ROLE_ABSENT, IVL_DIMS(b, n),
                      .draw = { IVL_DRAW_INT, 0, 4000 } } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap } },
            .add_mask = (uint16_t)(i % 2),
        };
        snprintf(f.name, sizeof f.name, "%lldx%lld heads %lld of %lld%s%s%s", (long long)b, (long long)n,
                 (long long)shapes[i].h, (long long)shapes[i].d, shapes[i].pos ? " pos" : "",
                 shapes[i].adjacent ? " adjacent" : "", shapes[i].inverse ? " inverse" : "");
        ivl_case_add(list, &f);
    }
}
