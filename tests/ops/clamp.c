#include "tests/ops/cases.h"

void ivl_cases_clamp(ivl_case_list *list)
{
    static const int64_t sizes[] = { 1, 37, 5000 };
    ivl_clamp_attr a = { -0.5, 4.6052 };
    for (int i = 0; i < 3; i++) {
        ivl_case c = { .op = IVL_OP_clamp,
                       .size = i < 2 ? IVL_TINY : IVL_NORMAL,
                       .n_in = 1,
                       .attr = &a,
                       .attr_bytes = sizeof a,
                       .in = { { IVL_ROLE_T, IVL_DIMS(sizes[i]), .draw = { IVL_DRAW_NORMAL, 2, 3 } } } };
        snprintf(c.name, sizeof c.name, "%lld", (long long)sizes[i]);
        ivl_case_add(list, &c);
    }
    ivl_case c = { .op = IVL_OP_clamp,
                   .name = "scalar",
                   .n_in = 1,
                   .attr = &a,
                   .attr_bytes = sizeof a,
                   .in = { { IVL_ROLE_S, .draw = { IVL_DRAW_CONST, 5 } } } };
    ivl_case_add(list, &c);
}
