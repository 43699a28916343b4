#include "tests/ops/cases.h"

typedef struct size { int64_t b, n, k, m, gap; ivl_case_size size; } size; /* x[b,n,k] w[m,k] */
static const size sizes[] = {
    { 1, 1, 1, 1, 0, IVL_TINY },          { 1, 3, 37, 5, 0, IVL_TINY },
    { 2, 9, 20, 33, 3, IVL_TINY },        { 2, 65, 72, 216, 0, IVL_NORMAL },
    { 3, 40, 150, 72, 11, IVL_NORMAL },   { 1, 16, 588, 84, 0, IVL_NORMAL },
    { 2, 130, 384, 96, 384, IVL_NORMAL }, { 8, 1, 257, 130, 0, IVL_NORMAL },
    { 4, 65, 384, 1536, 0, IVL_LARGE },
};
enum { N = sizeof sizes / sizeof *sizes };

static void name(ivl_case *c, const size *s, const char *what)
{
    snprintf(c->name, sizeof c->name, "%lldx%lldx%lld to %lld gap %lld%s", (long long)s->b, (long long)s->n,
             (long long)s->k, (long long)s->m, (long long)s->gap, what);
}

static void add(ivl_case_list *list, const size *s, int i)
{
    ivl_case_tensor absent = { .role = IVL_ROLE_ABSENT }, infer = { .role = IVL_ROLE_INFER };
    ivl_case_tensor x = { .role = IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->k), .gap = s->gap };
    ivl_case_tensor w = { .role = IVL_ROLE_T, IVL_DIMS(s->m, s->k), .draw = { IVL_DRAW_NORMAL, 0, 0.1 } };
    ivl_case_tensor bias = { .role = IVL_ROLE_T, IVL_DIMS(s->m) },
                    res = { .role = IVL_ROLE_T, IVL_DIMS(s->b, s->n, s->m) };
    ivl_case_tensor ls = { .role = IVL_ROLE_T, IVL_DIMS(s->m), .draw = { IVL_DRAW_NORMAL, 0.1, 0.3 } };
    ivl_case_tensor scale = { .role = IVL_ROLE_F32, IVL_DIMS(s->b), .draw = { IVL_DRAW_INT, 0, 3 } };
    ivl_case c = { .op = IVL_OP_linear,
                   .size = s->size,
                   .n_in = 3,
                   .n_out = 1,
                   .in = { x, w, i & 1 ? bias : absent },
                   .out = { infer } };
    name(&c, s, i & 1 ? " bias" : "");
    ivl_case_add(list, &c);
    ivl_case g = c;
    g.op = IVL_OP_linear_gelu, g.n_out = 2, g.out[1] = i & 2 ? infer : absent;
    ivl_case_add(list, &g);
    for (int j = 0; j < 4; j++) {
        ivl_case r = { .op = IVL_OP_linear_residual,
                       .size = s->size,
                       .n_in = 6,
                       .n_out = 2,
                       .in = { x, w, j & 1 ? absent : bias, res, j & 1 ? ls : absent,
                               j & 2 ? scale : absent },
                       .out = { infer, (i + j) & 1 ? infer : absent } };
        name(&r, s, j == 3 ? " ls scale" : j == 2 ? " scale" : j ? " ls" : "");
        ivl_case_add(list, &r);
    }
    ivl_case b = { .op = IVL_OP_linear_bwd_b, .size = s->size, .n_in = 1, .n_out = 1, .in = { x },
                   .out = { { .role = IVL_ROLE_S, IVL_DIMS(s->k) } }, .add_mask = (uint16_t)(i & 1) };
    name(&b, s, i & 1 ? " add" : "");
    ivl_case_add(list, &b);
}

void ivl_cases_linear(ivl_case_list *list)
{
    for (int i = 0; i < N; i++) add(list, &sizes[i], i);
}
