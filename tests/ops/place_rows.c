#include "tests/ops/cases.h"

static const struct { int64_t rows, placed, cols, gap; ivl_case_size size; } shapes[] = {
    { 1, 1, 1, 0, IVL_TINY },
    { 7, 3, 37, 3, IVL_TINY },
    { 60, 24, 320, 0, IVL_NORMAL },
    { 90, 40, 4096, 8, IVL_NORMAL },
};

/* The first numbers are negative: most rows stay. */
static ivl_case_tensor index_of(int64_t n, int64_t to)
{
    return (ivl_case_tensor){ IVL_ROLE_I32, IVL_DIMS(n), .draw = { IVL_DRAW_INT, (double)-to, (double)to + 2 } };
}

void ivl_cases_place_rows(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t r = shapes[i].rows, s = shapes[i].placed, c = shapes[i].cols;
        ivl_case f = {
            .op = IVL_OP_place_rows, .size = shapes[i].size, .n_in = 4, .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(1, r, c), .gap = 0 }, { IVL_ROLE_T, IVL_DIMS(s, c), .gap = shapes[i].gap },
                    index_of(r, s), index_of(s, r) },
            .out = { { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lld of %lldx%lld", (long long)s, (long long)r, (long long)c);
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_place_rows_bwd, .size = shapes[i].size, .n_in = 3, .n_out = 2,
            .in = { { IVL_ROLE_T, IVL_DIMS(1, r, c), .gap = shapes[i].gap }, f.in[2], f.in[3] },
            .out = { f.in[0], f.in[1] }, .add_mask = (uint16_t)(i % 4),
        };
        if (i == 2) d.out[0].role = IVL_ROLE_ABSENT;
        snprintf(d.name, sizeof d.name, "%.50s", f.name);
        ivl_case_add(list, &d);
    }
}
