#include "tests/ops/cases.h"

/* ids are drawn from lo to hi, past the table on both sides: those are clamped. Few ids make long chains. */
static const struct {
    int64_t v, c, b, n;
    double lo, hi;
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 1, 1, 0, 1, IVL_TINY },           { 7, 37, 2, 5, 0, 7, IVL_TINY },
    { 11, 64, 3, 4, -4, 15, IVL_TINY },       { 3, 90, 4, 65, 0, 3, IVL_NORMAL },
    { 1000, 72, 5, 77, 0, 1000, IVL_NORMAL }, { 60, 16, 9, 129, 0, 60, IVL_NORMAL },
    { 5000, 320, 8, 80, 0, 5000, IVL_LARGE },
};

void ivl_cases_embed(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t v = shapes[i].v, c = shapes[i].c, b = shapes[i].b, n = shapes[i].n;
        ivl_case f = {
            .op = IVL_OP_embed,
            .size = shapes[i].size,
            .n_in = 2,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(v, c) },
                    { IVL_ROLE_I32, IVL_DIMS(b, n), .draw = { IVL_DRAW_INT, shapes[i].lo, shapes[i].hi } } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lld ids %lldx%lld", (long long)v, (long long)c, (long long)b,
                 (long long)n);
        ivl_case_add(list, &f);
        for (int q = IVL_ROLE_Q8_0; c % 32 == 0 && q <= IVL_ROLE_Q4_1; q++) {
            ivl_case blocks = f;
            blocks.in[0].role = (ivl_role)q, blocks.dtypes = IVL_CASE_F32;
            snprintf(blocks.name, sizeof blocks.name, "%lldx%lld in blocks %d", (long long)v, (long long)c, q);
            ivl_case_add(list, &blocks);
        }
        for (int add = 0; add < 2; add++) {
            ivl_case d = {
                .op = IVL_OP_embed_bwd,
                .size = shapes[i].size,
                .n_in = 2,
                .n_out = 1,
                .in = { f.in[1], { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = i % 2 ? 5 : 0 } },
                .out = { { IVL_ROLE_S, IVL_DIMS(v, c) } },
                .add_mask = (uint16_t)add,
            };
            snprintf(d.name, sizeof d.name, "%.58s%s", f.name, add ? " add" : "");
            ivl_case_add(list, &d);
        }
    }
}
