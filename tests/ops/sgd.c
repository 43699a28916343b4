#include "tests/ops/cases.h"

#include <math.h>

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
    static const struct {
        const char *name;
        int64_t n;
        double momentum, norm, clip; /* norm < 0: none */
    } sets[] = {
        { "one", 1, 0.9, -1, 0 },        { "no momentum", 37, 0, 4, 0 },    { "clipped", 37, 0.9, 64, 5 },
        { "not clipped", 37, 0.9, 4, 5 }, { "many", 5000, 0.9, 36, 5 }, { "infinite norm", 37, 0.9, INFINITY, 5 },
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        ivl_sgd_attr a = { sets[i].momentum, sets[i].clip };
        int64_t n = sets[i].n;
        ivl_case c = { .op = IVL_OP_sgd,
                       .size = n < 1000 ? IVL_TINY : IVL_NORMAL,
                       .n_in = 5,
                       .attr = &a,
                       .attr_bytes = sizeof a,
                       .fix = fix,
                       .dtypes = IVL_CASE_F32,
                       .in = { { IVL_ROLE_S, IVL_DIMS(n) },
                               { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 0, 0.1 } },
                               { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 0, 0.5 } },
                               { IVL_ROLE_F32, IVL_DIMS(2) },
                               { sets[i].norm < 0 ? IVL_ROLE_ABSENT : IVL_ROLE_S,
                                 .draw = { IVL_DRAW_CONST, sets[i].norm } } } };
        snprintf(c.name, sizeof c.name, "%s", sets[i].name);
        ivl_case_add(list, &c);
    }
}
