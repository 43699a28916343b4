#include "tests/ops/cases.h"

#include "ops/linears.h"

/* x[m,k] w_i[n_i,k] */
typedef struct size { int64_t m, k, n[3]; int gated; ivl_role weight; ivl_case_size size; } size;
static const size sizes[] = {
    { 1, 1, { 1 }, 0, IVL_ROLE_T, IVL_TINY },           { 1, 37, { 5, 3, 4 }, 0, IVL_ROLE_T, IVL_TINY },
    { 3, 20, { 7, 7 }, 1, IVL_ROLE_T, IVL_TINY },       { 2, 64, { 9, 1 }, 0, IVL_ROLE_Q8_0, IVL_TINY },
    { 1, 96, { 6, 6 }, 1, IVL_ROLE_Q4_1, IVL_TINY },    { 8, 32, { 3, 2, 5 }, 0, IVL_ROLE_Q4_0, IVL_TINY },
    { 1, 576, { 130, 33, 33 }, 0, IVL_ROLE_Q4_1, IVL_NORMAL }, { 1, 320, { 150, 150 }, 1, IVL_ROLE_T, IVL_NORMAL },
    { 5, 2080, { 40, 70 }, 0, IVL_ROLE_Q8_0, IVL_NORMAL }, { 4, 600, { 90, 90 }, 1, IVL_ROLE_T, IVL_NORMAL },
    { 1, 2080, { 66, 66 }, 1, IVL_ROLE_Q4_0, IVL_NORMAL }, { 9, 160, { 40, 20, 11 }, 0, IVL_ROLE_T, IVL_NORMAL },
};

static void add(ivl_case_list *list, const size *s, bool norm, bool bias)
{
    int n = s->n[2] ? 3 : s->n[1] ? 2 : 1;
    ivl_linears_attr a = { .n = n, .gated = s->gated, .norm = norm, .eps = 1e-5 };
    ivl_case c = { .op = IVL_OP_linears, .size = s->size, .n_in = 2 + 2 * n, .n_out = s->gated ? 1 : n, .attr = &a,
                   .attr_bytes = sizeof a, .dtypes = s->weight == IVL_ROLE_T ? 0 : IVL_CASE_F32 };
    c.in[0] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(1, s->m, s->k), .gap = s->m % 3 };
    if (norm) c.in[1] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->k), .draw = { IVL_DRAW_NORMAL, 1, 0.2 } };
    for (int i = 0; i < n; i++) {
        ivl_case_tensor w = { s->weight, IVL_DIMS(s->n[i], s->k), .draw = { IVL_DRAW_NORMAL, 0.05, 0.1 } };
        c.in[2 + 2 * i] = w;
        if (bias && !s->gated && i != 1) c.in[3 + 2 * i] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->n[i]), .gap = 0 };
    }
    for (int i = 0; i < c.n_out; i++) c.out[i] = (ivl_case_tensor){ IVL_ROLE_INFER, .gap = i };
    snprintf(c.name, sizeof c.name, "%lldx%lld to %lld %lld %lld, weight %d%s%s%s", (long long)s->m, (long long)s->k,
             (long long)s->n[0], (long long)s->n[1], (long long)s->n[2], s->weight, s->gated ? " gated" : "",
             norm ? " norm" : "", bias ? " bias" : "");
    ivl_case_add(list, &c);
}

void ivl_cases_linears(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        add(list, &sizes[i], true, i & 1);
        add(list, &sizes[i], false, !(i & 1));
    }
}
