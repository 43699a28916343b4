#include "tests/ops/shapes.h"

static void add_cases(ivl_case_list *list, const ivl_shape *s, bool ls, bool scale, int i)
{
    ivl_case_tensor absent = { .role = IVL_ROLE_ABSENT },
                    x = { .role = IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap };
    ivl_case_tensor w = { .role = IVL_ROLE_T, IVL_DIMS(s->c), .draw = { IVL_DRAW_NORMAL, 0.1, 0.3 } };
    ivl_case_tensor drop = { .role = IVL_ROLE_F32, IVL_DIMS(s->b), .draw = { IVL_DRAW_INT, 0, 3 } };
    const char *what = ls && scale ? " ls scale" : ls ? " ls" : scale ? " scale" : "";
    ivl_case f = {
        .op = IVL_OP_residual, .size = s->size, .n_in = 4, .n_out = 1,
        .in = { x, x, ls ? w : absent, scale ? drop : absent }, .out = { { IVL_ROLE_INFER } },
    };
    f.in[1].gap = 0;
    ivl_case_name(&f, s, what);
    ivl_case_add(list, &f);
    ivl_case d = {
        .op = IVL_OP_residual_bwd,
        .size = s->size,
        .n_in = 4,
        .n_out = 2,
        .in = { x, ls ? x : absent, f.in[2], f.in[3] },
        .out = { x, ls ? (ivl_case_tensor){ .role = IVL_ROLE_S, IVL_DIMS(s->c) } : absent },
        .add_mask = (uint16_t)(i & 3),
    };
    d.in[0].gap = 0;
    if (i == 2 && ls) d.out[0].role = IVL_ROLE_ABSENT;
    if (i == 3) d.out[1].role = IVL_ROLE_ABSENT;
    if (i == 3) d.in[1].role = IVL_ROLE_ABSENT;
    ivl_case_name(&d, s, what);
    ivl_case_add(list, &d);
}

void ivl_cases_residual(ivl_case_list *list)
{
    for (int i = 0; i < IVL_FLAT_SHAPES; i++)
        for (int j = 0; j < 4; j++) add_cases(list, &ivl_flat_shapes[i], j & 1, j >> 1, i);
}
