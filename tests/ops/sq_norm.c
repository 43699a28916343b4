#include "tests/ops/cases.h"

#include <math.h>

void ivl_cases_sq_norm(ivl_case_list *list)
{
    static const int64_t sizes[] = { 1, 37, 16384, 16385, 3, 100003, 40000, 5, 16, 17, 31, 2000 };
    static const struct {
        const char *name;
        int n;
        double scale;
        ivl_case_size size;
    } sets[] = {
        { "one number", 1, 1, IVL_TINY },
        { "two", 2, 1, IVL_TINY },
        { "six", 6, 1e-4, IVL_NORMAL },
        { "twelve", 12, 30, IVL_NORMAL },
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        ivl_case c = { .op = IVL_OP_sq_norm,
                       .size = sets[i].size,
                       .n_in = sets[i].n,
                       .n_out = 1,
                       .out = { { IVL_ROLE_INFER } } };
        for (int k = 0; k < sets[i].n; k++)
            c.in[k] = (ivl_case_tensor){ k % 2 ? IVL_ROLE_T : IVL_ROLE_S, IVL_DIMS(sizes[k]),
                                         .draw = { IVL_DRAW_NORMAL, 0, sets[i].scale } };
        snprintf(c.name, sizeof c.name, "%s", sets[i].name);
        ivl_case_add(list, &c);
    }
    ivl_case inf = { .op = IVL_OP_sq_norm,
                     .name = "infinite",
                     .n_in = 1,
                     .n_out = 1,
                     .dtypes = IVL_CASE_F32,
                     .in = { { IVL_ROLE_F32, IVL_DIMS(5), .draw = { IVL_DRAW_CONST, INFINITY } } },
                     .out = { { IVL_ROLE_INFER } } };
    ivl_case_add(list, &inf);
}
