#include "tests/ops/cases.h"

/* indices are drawn from lo to hi, past the tokens on both sides: those are clamped */
static const struct {
    int64_t b, n, c, gap;
    double lo, hi;
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 1, 0, 0, 1, IVL_TINY },        { 3, 5, 37, 0, 0, 5, IVL_TINY },
    { 7, 4, 64, 64, -3, 9, IVL_TINY },     { 8, 80, 90, 6, 0, 80, IVL_NORMAL },
    { 2, 80, 3200, 0, 0, 80, IVL_NORMAL },
};

void ivl_cases_gather_rows(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t b = shapes[i].b, n = shapes[i].n, c = shapes[i].c, gap = shapes[i].gap;
        ivl_case f = {
            .op = IVL_OP_gather_rows,
            .size = shapes[i].size,
            .n_in = 2,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap },
                    { IVL_ROLE_I32, IVL_DIMS(b), .draw = { IVL_DRAW_INT, shapes[i].lo, shapes[i].hi } } },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lldx%lld gap %lld", (long long)b, (long long)n, (long long)c,
                 (long long)gap);
        ivl_case_add(list, &f);
        for (int add = 0; add < 2; add++) {
            ivl_case d = {
                .op = IVL_OP_gather_rows_bwd,
                .size = shapes[i].size,
                .n_in = 2,
                .n_out = 1,
                .in = { { IVL_ROLE_T, IVL_DIMS(b, c) }, f.in[1] },
                .out = { { IVL_ROLE_T, IVL_DIMS(b, n, c), .gap = gap } },
                .add_mask = (uint16_t)add,
            };
            snprintf(d.name, sizeof d.name, "%.58s%s", f.name, add ? " add" : "");
            ivl_case_add(list, &d);
        }
    }
}
