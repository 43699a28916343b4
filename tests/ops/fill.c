#include "tests/ops/shapes.h"

void ivl_cases_fill(ivl_case_list *list)
{
    static const double values[] = { 0, 1, -0.3, 1e-3, 2, 0 };
    for (int i = 0; i < IVL_FLAT_SHAPES; i++) {
        const ivl_shape *s = &ivl_flat_shapes[i];
        ivl_fill_attr a = { values[i] };
        for (ivl_role role = IVL_ROLE_T; role <= IVL_ROLE_U8;
             role = role == IVL_ROLE_T ? IVL_ROLE_I32 : role + 1) {
            if (role != IVL_ROLE_T && i > 2) continue;
            ivl_case c = {
                .op = IVL_OP_fill, .size = s->size, .n_out = 1, .attr = &a, .attr_bytes = sizeof a,
                .out = { { role, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap } },
                .dtypes = role == IVL_ROLE_T ? 0 : IVL_CASE_F32,
            };
            ivl_case_name(&c, s, role == IVL_ROLE_T ? "" : role == IVL_ROLE_I32 ? " i32" : " u8");
            ivl_case_add(list, &c);
        }
    }
}
