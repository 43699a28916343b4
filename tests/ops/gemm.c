/* Shapes around the edges of tiles, panels and blocks of k, for every implementation of the matrix products;
 * also slices, misaligned starts, added outputs, f32 outputs of 16-bit inputs. */
#include "tests/ops/cases.h"

static const struct {
    int64_t m, n, k, gap;
    ivl_case_size size;
} shapes[] = {
    { 1, 1, 1, 0, IVL_TINY },       { 5, 3, 7, 0, IVL_TINY },        { 13, 33, 17, 3, IVL_TINY },
    { 12, 32, 16, 0, IVL_NORMAL },  { 2, 50, 40, 2, IVL_NORMAL },    { 25, 95, 130, 5, IVL_NORMAL },
    { 6, 65, 1550, 0, IVL_NORMAL }, { 31, 40, 3100, 1, IVL_NORMAL }, { 520, 384, 384, 0, IVL_LARGE },
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static void matmul(ivl_case_list *list, int i, int ta, int tb)
{
    int64_t m = shapes[i].m, n = shapes[i].n, k = shapes[i].k, gap = shapes[i].gap;
    ivl_matmul_attr a = { ta, tb };
    ivl_case c = {
        .op = IVL_OP_matmul,
        .size = shapes[i].size,
        .n_in = 2,
        .n_out = 1,
        .attr = &a,
        .attr_bytes = sizeof a,
        .in = { { IVL_ROLE_T, IVL_DIMS(ta ? k : m, ta ? m : k), .gap = gap },
                { IVL_ROLE_T, IVL_DIMS(tb ? n : k, tb ? k : n), .gap = gap } },
        .out = { { i % 2 ? IVL_ROLE_S : IVL_ROLE_T, IVL_DIMS(m, n), .gap = gap } },
        .add_mask = (i + ta) % 3 == 0,
    };
    snprintf(c.name, sizeof c.name, "%c%c %lldx%lldx%lld gap %lld", ta ? 'T' : 'N', tb ? 'T' : 'N',
             (long long)m, (long long)n, (long long)k, (long long)gap);
    ivl_case_add(list, &c);
}

/* variant: 1 bias, 2 z, 4 ls, 8 scale */
static void linear(ivl_case_list *list, int i, int op, int variant)
{
    int64_t m = shapes[i].m, n = shapes[i].n, k = shapes[i].k, gap = shapes[i].gap, batch = m % 2 ? 1 : 2;
    ivl_case c = {
        .op = op,
        .size = shapes[i].size,
        .n_in = op == IVL_OP_linear_residual ? 6 : 3,
        .n_out = op == IVL_OP_linear ? 1 : 2,
        .in = { { IVL_ROLE_T, IVL_DIMS(batch, m / batch, k), .gap = gap },
                { IVL_ROLE_T, IVL_DIMS(n, k), .draw = { IVL_DRAW_NORMAL, 0, 0.1 } },
                { IVL_ROLE_T, IVL_DIMS(n) },
                { IVL_ROLE_T, IVL_DIMS(batch, m / batch, n), .gap = gap },
                { IVL_ROLE_T, IVL_DIMS(n) },
                { IVL_ROLE_F32, IVL_DIMS(batch), .draw = { IVL_DRAW_UNIFORM, 0, 2 } } },
        .out = { { IVL_ROLE_INFER, .gap = gap }, { variant & 2 ? IVL_ROLE_INFER : IVL_ROLE_ABSENT } },
    };
    if (!(variant & 1)) c.in[2].role = IVL_ROLE_ABSENT;
    if (!(variant & 4)) c.in[4].role = IVL_ROLE_ABSENT;
    if (!(variant & 8)) c.in[5].role = IVL_ROLE_ABSENT;
    snprintf(c.name, sizeof c.name, "%lldx%lldx%lld gap %lld variant %d", (long long)m, (long long)n,
             (long long)k, (long long)gap, variant);
    ivl_case_add(list, &c);
}

void ivl_cases_gemm(ivl_case_list *list)
{
    for (int i = 0; i < N_SHAPES; i++) {
        for (int t = 0; t < 4; t++) matmul(list, i, t & 1, t >> 1);
        linear(list, i, IVL_OP_linear, i % 2);
        linear(list, i, IVL_OP_linear_gelu, (i + 1) % 4);
        linear(list, i, IVL_OP_linear_residual, i * 5 % 16);
        linear(list, i, IVL_OP_linear_residual, 15 - i * 5 % 16);
    }
}
