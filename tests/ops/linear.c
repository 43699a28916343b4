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

/* Few rows, and weights in blocks: k is a multiple of 32. */
static void add_few(ivl_case_list *list, int64_t m, int64_t k, int64_t n, ivl_role weight, ivl_case_size shape)
{
    ivl_case c = { .op = IVL_OP_linear,
                   .size = shape,
                   .n_in = 3,
                   .n_out = 1,
                   .in = { { IVL_ROLE_T, IVL_DIMS(1, m, k), .gap = m % 3 },
                           { weight, IVL_DIMS(n, k), .draw = { IVL_DRAW_NORMAL, 0.05, 0.1 } },
                           { m % 2 ? IVL_ROLE_T : IVL_ROLE_ABSENT, IVL_DIMS(n) } },
                   .out = { { IVL_ROLE_INFER, .gap = m % 2 } },
                   .dtypes = weight == IVL_ROLE_T ? 0 : IVL_CASE_F32 };
    snprintf(c.name, sizeof c.name, "few %lldx%lld to %lld, weight %d", (long long)m, (long long)k,
             (long long)n, weight);
    ivl_case_add(list, &c);
    c.op = IVL_OP_linear_gelu, c.n_out = 2, c.out[1].role = IVL_ROLE_INFER;
    ivl_case_add(list, &c);
    c.op = IVL_OP_linear_residual, c.n_in = 5;
    c.in[3] = (ivl_case_tensor){ .role = IVL_ROLE_T, IVL_DIMS(1, m, n) };
    c.in[4] = (ivl_case_tensor){ .role = IVL_ROLE_T, IVL_DIMS(n) };
    ivl_case_add(list, &c);
}

static void add_weights(ivl_case_list *list)
{
    static const ivl_role weight[] = { IVL_ROLE_T, IVL_ROLE_Q8_0, IVL_ROLE_Q4_0, IVL_ROLE_Q4_1 };
    for (int i = 0; i < 4; i++) {
        for (int m = 1; m <= 9; m++) add_few(list, m, m % 2 ? 32 : 96, 5 + m, weight[i], IVL_TINY);
        add_few(list, 1, 576, 130, weight[i], IVL_NORMAL);
        add_few(list, 3, 1536, 70, weight[i], IVL_NORMAL);
        add_few(list, 40, 1600, 67, weight[i], IVL_NORMAL);
    }
}

void ivl_cases_linear(ivl_case_list *list)
{
    for (int i = 0; i < N; i++) add(list, &sizes[i], i);
    add_weights(list);
}
