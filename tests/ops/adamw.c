#include "tests/ops/cases.h"

#include <math.h>

#include "runtime/dtype.h"

/* rate, decay, bias corrections of step 3 */
static ivl_status fix(const ivl_node *n)
{
    static const double hyper[] = { 1e-2, 0.1, 1 - 0.9 * 0.9 * 0.9, 1 - 0.98 * 0.98 * 0.98 };
    const ivl_tensor *h = n->x[4];
    for (int i = 0; i < 4; i++) ivl_store(h->buf.host, h->dtype, h->off + i, hyper[i]);
    return IVL_OK;
}

void ivl_cases_adamw(ivl_case_list *list)
{
    static const struct {
        const char *name;
        int64_t n;
        double norm, clip;
        ivl_case_size size;
    } sets[] = {
        { "one", 1, 4, 1, IVL_TINY },
        { "not clipped", 37, 0.25, 1, IVL_TINY },
        { "clipped", 4099, 64, 0.5, IVL_NORMAL },
        { "no norm", 129, -1, 1, IVL_TINY },
        { "no clipping", 129, 64, 0, IVL_TINY },
        { "infinite norm", 37, INFINITY, 1, IVL_TINY },
        { "NaN norm", 5000, NAN, 0, IVL_NORMAL },
    };
    ivl_adamw_attr a = { 0.9, 0.98, 1e-6, 0 };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        int64_t n = sets[i].n;
        a.clip = sets[i].clip;
        ivl_case c = {
            .op = IVL_OP_adamw,
            .size = sets[i].size,
            .n_in = 6,
            .attr = &a,
            .attr_bytes = sizeof a,
            .fix = fix,
            .dtypes = IVL_CASE_F32,
            .in = { { IVL_ROLE_S, IVL_DIMS(n) },
                    { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 0, 0.1 } },
                    { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 0, 0.05 } },
                    { IVL_ROLE_S, IVL_DIMS(n), .draw = { IVL_DRAW_UNIFORM, 0, 0.01 } },
                    { IVL_ROLE_F32, IVL_DIMS(4) },
                    { sets[i].norm < 0 ? IVL_ROLE_ABSENT : IVL_ROLE_S,
                      .draw = { IVL_DRAW_CONST, sets[i].norm } } },
        };
        snprintf(c.name, sizeof c.name, "%s", sets[i].name);
        ivl_case_add(list, &c);
    }
}
