#include "tests/ops/shapes.h"

void ivl_cases_gelu(ivl_case_list *list)
{
    for (int i = 0; i < IVL_FLAT_SHAPES; i++) {
        const ivl_shape *s = &ivl_flat_shapes[i];
        ivl_case_tensor x = { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap,
                              .draw = { IVL_DRAW_NORMAL, 0, i % 2 ? 4 : 1 } };
        ivl_case f = { .op = IVL_OP_gelu,
                       .size = s->size,
                       .n_in = 1,
                       .n_out = 1,
                       .in = { x },
                       .out = { { IVL_ROLE_INFER } } };
        ivl_case_name(&f, s, "");
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_gelu_bwd, .size = s->size, .n_in = 2, .n_out = 1,
            .in = { x, { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap } }, .add_mask = i & 1,
        };
        ivl_case_name(&d, s, "");
        ivl_case_add(list, &d);
    }
    ivl_case far = { .name = "-40..40",
                     .op = IVL_OP_gelu,
                     .n_in = 1,
                     .n_out = 1,
                     .out = { { IVL_ROLE_INFER } },
                     .in = { { IVL_ROLE_T, IVL_DIMS(300), .draw = { IVL_DRAW_UNIFORM, -40, 40 } } } };
    ivl_case_add(list, &far);
    far.in[0].draw = (ivl_draw){ IVL_DRAW_UNIFORM, -12, -1 }; /* the tail alone */
    ivl_case_add(list, &far);
}
