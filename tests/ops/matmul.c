#include "tests/ops/cases.h"

typedef struct size { int64_t m, n, k, gap; ivl_case_size size; } size; /* op(a)[m,k] op(b)[k,n] */
static const size sizes[] = {
    { 1, 1, 1, 0, IVL_TINY },        { 3, 5, 37, 0, IVL_TINY },       { 20, 33, 9, 3, IVL_TINY },
    { 130, 216, 72, 0, IVL_NORMAL }, { 72, 150, 257, 11, IVL_NORMAL }, { 37, 588, 600, 0, IVL_NORMAL },
    { 5, 84, 300, 7, IVL_NORMAL },   { 384, 96, 520, 0, IVL_NORMAL },  { 1536, 384, 520, 0, IVL_LARGE },
};
enum { N = sizeof sizes / sizeof *sizes };

/* Output: as inferred; of type S (a weight's gradient); added to. */
static void add(ivl_case_list *list, const size *s, int mode, int output)
{
    ivl_matmul_attr t = { mode & 1, mode >> 1 };
    ivl_case_tensor a = { .role = IVL_ROLE_T, 2, { t.ta ? s->k : s->m, t.ta ? s->m : s->k }, .gap = s->gap };
    ivl_case_tensor b = { .role = IVL_ROLE_T, 2, { t.tb ? s->n : s->k, t.tb ? s->k : s->n }, .gap = s->gap };
    ivl_case_tensor y = { .role = output ? IVL_ROLE_S : IVL_ROLE_INFER, IVL_DIMS(s->m, s->n) };
    if (output == 2) y.role = IVL_ROLE_T, y.gap = s->gap;
    ivl_case c = { .op = IVL_OP_matmul,
                   .size = s->size,
                   .n_in = 2,
                   .n_out = 1,
                   .in = { a, b },
                   .out = { y },
                   .attr = &t,
                   .attr_bytes = sizeof t,
                   .add_mask = output == 2 };
    snprintf(c.name, sizeof c.name, "%lldx%lldx%lld%s%s gap %lld%s", (long long)s->m, (long long)s->n,
             (long long)s->k, t.ta ? " T" : " N", t.tb ? "T" : "N", (long long)s->gap,
             output == 2 ? " add"
             : output    ? " S"
                         : "");
    ivl_case_add(list, &c);
}

void ivl_cases_matmul(ivl_case_list *list)
{
    for (int i = 0; i < N; i++)
        for (int mode = 0; mode < 4; mode++)
            for (int output = 0; output < 3; output++) add(list, &sizes[i], mode, output);
}
