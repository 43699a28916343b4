#include "tests/ops/shapes.h"

/* to another type; added to what is there; into an external tensor */
static void add_cases(ivl_case_list *list, const ivl_shape *s, ivl_role role, const char *what)
{
    ivl_cast_attr a = { role == IVL_ROLE_BF16 ? IVL_BF16 : role == IVL_ROLE_F16 ? IVL_F16 : IVL_F32 };
    char name[32];
    for (int way = 0; way < 3; way++) {
        ivl_case c = {
            .op = IVL_OP_cast,
            .size = s->size,
            .n_in = 1,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->c), .gap = s->gap,
                      .draw = { IVL_DRAW_NORMAL, 0, 3 } } },
            .out = { { role, IVL_DIMS(s->b, s->n, s->c), .gap = way == 1 ? s->gap : 0 } },
        };
        if (way == 1) c.add_mask = 1;
        if (way == 2) c.n_in = 2, c.n_out = 0, c.in[1] = c.out[0];
        snprintf(name, sizeof name, " to %s%s", what, way == 1 ? ", added" : way == 2 ? ", in place" : "");
        ivl_case_name(&c, s, name);
        ivl_case_add(list, &c);
    }
}

void ivl_cases_cast(ivl_case_list *list)
{
    for (int i = 0; i < IVL_FLAT_SHAPES; i++) {
        add_cases(list, &ivl_flat_shapes[i], IVL_ROLE_F32, "f32");
        add_cases(list, &ivl_flat_shapes[i], IVL_ROLE_BF16, "bf16");
        add_cases(list, &ivl_flat_shapes[i], IVL_ROLE_F16, "f16");
    }
    ivl_cast_attr a = { IVL_F32 };
    ivl_case c = {
        /* a reshape; values beyond the range of halves, and subnormal ones */
        .name = "4x9x35 to 1260 f16",
        .op = IVL_OP_cast,
        .n_in = 1,
        .n_out = 1,
        .attr = &a,
        .attr_bytes = sizeof a,
        .in = { { IVL_ROLE_F32, IVL_DIMS(4, 9, 35), .draw = { IVL_DRAW_UNIFORM, -1e-6, 1e-6 } } },
        .out = { { IVL_ROLE_F16, IVL_DIMS(1260) } },
        .dtypes = IVL_CASE_F32,
    };
    ivl_case_add(list, &c);
}
