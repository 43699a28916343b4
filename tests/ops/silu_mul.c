#include "tests/ops/shapes.h"

void ivl_cases_silu_mul(ivl_case_list *list)
{
    for (int i = 0; i < IVL_FLAT_SHAPES; i++) {
        const ivl_shape *s = &ivl_flat_shapes[i];
        ivl_case_tensor x = { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap,
                              .draw = { IVL_DRAW_NORMAL, 0, i % 2 ? 4 : 1 } };
        ivl_case f = { .op = IVL_OP_silu_mul,
                       .size = s->size,
                       .n_in = 2,
                       .n_out = 1,
                       .in = { x, x },
                       .out = { { IVL_ROLE_INFER } } };
        ivl_case_name(&f, s, "");
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_silu_mul_bwd, .size = s->size, .n_in = 3, .n_out = 2,
            .in = { x, x, { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap },
                     { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap } },
            .add_mask = (uint16_t)(i & 3),
        };
        if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
        if (i == 2) d.out[1].role = IVL_ROLE_ABSENT;
        ivl_case_name(&d, s, "");
        ivl_case_add(list, &d);
    }
}
