#include "tests/ops/cases.h"

#include "runtime/dtype.h"

static ivl_status fix(const ivl_node *n)
{
    const ivl_tensor *h = n->x[3];
    ivl_store(h->buf.host, h->dtype, h->off, 0.1);
    ivl_store(h->buf.host, h->dtype, h->off + 1, 1e-2);
    return IVL_OK;
}

void ivl_cases_sgd(ivl_case_list *list)
{
    static const int64_t sizes[] = { 1, 37, 5000 };
    static const double momentum[] = { 0.9, 0, 0.9 };
    for (int i = 0; i < 3; i++) {
        ivl_sgd_attr a = { momentum[i] };
        int64_t n = sizes[i];
        ivl_case c = { .op = IVL_OP_sgd,
                       .size = i < 2 ? IVL_TINY : IVL_NORMAL,
                       .n_in = 4,
                       .attr = &a,
                       .attr_bytes = sizeof a,
                       .fix = fix,
                       .dtypes = IVL_CASE_F32,
                       .in = { { IVL_ROLE_S, IVL_DIMS(n) },
                               { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 0, 0.1 } },
                               { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 0, 0.5 } },
                               { IVL_ROLE_F32, IVL_DIMS(2) } } };
        snprintf(c.name, sizeof c.name, "%lld, momentum %g", (long long)n, momentum[i]);
        ivl_case_add(list, &c);
    }
}
