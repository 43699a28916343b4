#include "tests/ops/cases.h"

static const struct { int64_t b, k, grid, c; int keep; ivl_case_size size; } shapes[] = {
    { 1, 1, 1, 1, 0, IVL_TINY },    { 2, 3, 3, 5, 0, IVL_TINY },      { 3, 4, 9, 7, 1, IVL_TINY },
    { 4, 64, 64, 96, 0, IVL_NORMAL }, { 8, 32, 64, 100, 1, IVL_NORMAL }, { 2, 128, 256, 384, 1, IVL_NORMAL },
};

void ivl_cases_vit_tokens(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, k = shapes[i].k, g = shapes[i].grid, c = shapes[i].c;
        int out = i == 2; /* indices outside count for nothing */
        ivl_case_tensor keep = { shapes[i].keep ? IVL_ROLE_I32 : IVL_ROLE_ABSENT, IVL_DIMS(b, k),
                                 .draw = { IVL_DRAW_INT, -out, (double)g + out } };
        ivl_case f = {
            .op = IVL_OP_vit_tokens,
            .size = shapes[i].size,
            .n_in = 4,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, k, c) },
                    { IVL_ROLE_T, IVL_DIMS(c) },
                    { IVL_ROLE_T, IVL_DIMS(1 + g, c) },
                    keep },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lldx%lld of %lld%s", (long long)b, (long long)k, (long long)c,
                 (long long)g, shapes[i].keep ? " keep" : "");
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_vit_tokens_bwd, .size = shapes[i].size, .n_in = 2, .n_out = 3,
            .in = { keep, { IVL_ROLE_T, IVL_DIMS(b, 1 + k, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(b, k, c) }, { IVL_ROLE_S, IVL_DIMS(c) },
                     { i == 4 ? IVL_ROLE_T : IVL_ROLE_S, IVL_DIMS(1 + g, c) } },
            .add_mask = (uint16_t)(i % 8),
        };
        if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
        if (i == 3) d.out[2].role = IVL_ROLE_ABSENT;
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
