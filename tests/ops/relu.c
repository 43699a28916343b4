#include "tests/ops/shapes.h"

void ivl_cases_relu(ivl_case_list *list)
{
    for (int i = 0; i < IVL_FLAT_SHAPES; i++) {
        const ivl_shape *s = &ivl_flat_shapes[i];
        ivl_case_tensor x = { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap };
        if (i % 2) x.draw = (ivl_draw){ IVL_DRAW_INT, -2, 3 }; /* zeros */
        ivl_case f = { .op = IVL_OP_relu, .size = s->size, .n_in = 1, .n_out = 1, .in = { x },
                       .out = { { IVL_ROLE_INFER } } };
        ivl_case_name(&f, s, "");
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_relu_bwd, .size = s->size, .n_in = 2, .n_out = 1,
            .in = { x, { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap } }, .add_mask = i & 1,
        };
        ivl_case_name(&d, s, "");
        ivl_case_add(list, &d);
    }
}
