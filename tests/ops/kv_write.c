#include "tests/ops/cases.h"

static const struct { int64_t samples, room, cols, batch, tokens; ivl_case_size size; } shapes[] = {
    { 1, 3, 5, 1, 1, IVL_TINY },      { 4, 6, 16, 4, 1, IVL_TINY },      { 6, 9, 37, 2, 5, IVL_TINY },
    { 8, 60, 320, 8, 1, IVL_NORMAL }, { 3, 140, 512, 1, 129, IVL_NORMAL },
};

void ivl_cases_kv_write(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t r = shapes[i].samples, m = shapes[i].room, c = shapes[i].cols, b = shapes[i].batch;
        ivl_case w = {
            .op = IVL_OP_kv_write, .size = shapes[i].size, .n_in = 3,
            .in = { { IVL_ROLE_T, IVL_DIMS(r, m, c), .gap = 0 },
                    { IVL_ROLE_T, IVL_DIMS(b, shapes[i].tokens, c), .gap = i == 1 ? 8 : 0 },
                    { IVL_ROLE_I32, IVL_DIMS(b), .draw = { IVL_DRAW_INT, -1, (double)m + 1 } } },
        };
        snprintf(w.name, sizeof w.name, "%lldx%lldx%lld from %lldx%lld", (long long)r, (long long)m, (long long)c,
                 (long long)b, (long long)shapes[i].tokens);
        ivl_case_add(list, &w);
        ivl_case o = {
            .op = IVL_OP_kv_reorder, .size = shapes[i].size, .n_in = 3,
            .in = { w.in[0], { IVL_ROLE_I32, IVL_DIMS(r), .draw = { IVL_DRAW_INT, -1, (double)r + 1 } },
                    { IVL_ROLE_I32, IVL_DIMS(r), .draw = { IVL_DRAW_INT, 0, (double)m + 1 } } },
        };
        snprintf(o.name, sizeof o.name, "%lldx%lldx%lld", (long long)r, (long long)m, (long long)c);
        ivl_case_add(list, &o);
    }
}
