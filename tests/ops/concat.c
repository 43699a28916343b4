#include "tests/ops/cases.h"

static const struct { int64_t ra, ka, gap_a, rb, kb, gap_b; ivl_case_size size; } shapes[] = {
    { 1, 1, 0, 1, 1, 0, IVL_TINY },     { 3, 5, 0, 3, 37, 0, IVL_TINY }, { 1, 15, 0, 4, 33, 3, IVL_TINY },
    { 6, 64, 64, 1, 7, 0, IVL_NORMAL },  { 24, 5 * 84, 8, 24, 13 * 84, 0, IVL_NORMAL },
    { 1, 96 * 320, 0, 6, 80 * 320, 0, IVL_NORMAL },
};

void ivl_cases_concat(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        ivl_concat_attr none = { 0 }, repeat = { 5 };
        ivl_case c = {
            .op = IVL_OP_concat, .attr = &none, .attr_bytes = sizeof none, .size = shapes[i].size, .n_in = 2,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(shapes[i].ra, shapes[i].ka), .gap = shapes[i].gap_a },
                    { IVL_ROLE_T, IVL_DIMS(shapes[i].rb, shapes[i].kb), .gap = shapes[i].gap_b } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(c.name, sizeof c.name, "%lldx%lld | %lldx%lld", (long long)shapes[i].ra, (long long)shapes[i].ka,
                 (long long)shapes[i].rb, (long long)shapes[i].kb);
        ivl_case_add(list, &c);
        if (shapes[i].ra > 1) continue;
        c.attr = &repeat, c.in[1].role = IVL_ROLE_ABSENT;
        snprintf(c.name, sizeof c.name, "%lld five times", (long long)shapes[i].ka);
        ivl_case_add(list, &c);
    }
}
