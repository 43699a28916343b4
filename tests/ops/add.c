#include "tests/ops/shapes.h"

void ivl_cases_add(ivl_case_list *list)
{
    for (int i = 0; i < IVL_FLAT_SHAPES; i++) {
        const ivl_shape *s = &ivl_flat_shapes[i];
        ivl_case c = {
            .op = IVL_OP_add,
            .size = s->size,
            .n_in = 2,
            .n_out = 1,
            .in = { { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap },
                    { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c) } },
            .out = { { IVL_ROLE_INFER, .gap = s->gap } },
        };
        ivl_case_name(&c, s, "");
        ivl_case_add(list, &c);
    }
}
