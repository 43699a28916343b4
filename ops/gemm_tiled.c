/* The portable matrix product (kernels/linear.cl), right on any device. linear, its fused forms and matmul
 * are one kernel; what they ask for becomes flags. */
#include "ops/column_sum.h"
#include "ops/gemm_tiled.h"

ivl_product ivl_product_of(const ivl_node *n)
{
    ivl_product p = { .a = n->x[0], .b = n->x[1], .tb = true, .y = n->y[0] };
    if (n->op == IVL_OP_matmul) {
        const ivl_matmul_attr *t = n->attr;
        p.ta = t->ta, p.tb = t->tb;
    } else {
        p.bias = n->n_in > 2 ? n->x[2] : NULL;
        p.z = n->n_out > 1 ? n->y[1] : NULL;
    }
    if (n->op == IVL_OP_linear_residual) {
        p.res = n->x[3];
        p.ls = n->n_in > 4 ? n->x[4] : NULL;
        p.scale = n->n_in > 5 ? n->x[5] : NULL;
    }
    p.m = p.ta ? ivl_cols(p.a) : ivl_rows(p.a);
    p.k = p.ta ? ivl_rows(p.a) : ivl_cols(p.a);
    p.n = p.tb ? ivl_rows(p.b) : ivl_cols(p.b);
    return p;
}

int ivl_product_flags(const ivl_node *n, const ivl_product *p)
{
    return (p->bias ? IVL_HAS_BIAS : 0) | (p->ls ? IVL_HAS_LS : 0) | (p->scale ? IVL_HAS_SCALE : 0) |
           (p->z ? IVL_HAS_Z : 0) | (ivl_adds(n, 0) ? IVL_ADD_Y : 0) | (ivl_adds(n, 1) ? IVL_ADD_Z : 0) |
           (n->op == IVL_OP_linear_gelu ? IVL_GELU : 0) | (p->res ? IVL_RESIDUAL : 0);
}

enum { P_WG, P_BM, P_BK, P_RM, N_PARAM };
/* Columns of a group's tile, as in kernels/linear.cl. */
static int tile_cols(const int *param)
{
    return param[P_WG] == 1 ? 64 : param[P_WG] * param[P_RM] * 4 / param[P_BM];
}

static void defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    static const int cpu[] = { 1, 64, 64, 4 }, small[] = { 64, 32, 16, 4 }, large[] = { 256, 64, 16, 4 };
    (void)n;
    bool gpu = c->features & IVL_CAP_GPU;
    const int *p = gpu && c->max_group >= 256 ? large : gpu && c->max_group >= 64 ? small : cpu;
    for (int i = 0; i < N_PARAM; i++) param[i] = p[i];
}

/* Lanes tile the tile, and it fits local memory. */
static bool valid(const ivl_caps *c, const ivl_node *n, const int *param)
{
    (void)n;
    int cols = tile_cols(param), lanes = param[P_WG];
    size_t floats = (size_t)param[P_BK] * (size_t)(param[P_BM] + cols + 2) +
                    (lanes == 1 ? (size_t)(param[P_BM] * cols) : 0);
    return lanes <= c->max_group && cols >= 4 && param[P_BM] % param[P_RM] == 0 &&
           4 * floats <= c->local_bytes && (lanes == 1 || lanes * param[P_RM] * 4 % param[P_BM] == 0);
}

static const ivl_tune_space space = {
    .n = N_PARAM, .name = { "WG_SIZE", "BM", "BK", "RM" },
    .values = { { 1, 64, 128, 256 }, { 32, 64, 128 }, { 8, 16, 32, 64 }, { 2, 4, 8 } },
    .defaults = defaults, .valid = valid,
};

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    ivl_product q = ivl_product_of(n);
    return ivl_prep_kernel(d, p_p, 0, param, "linear", "gemm", "%s %s%s -DWG_SIZE=%d -DBM=%d -DBK=%d -DRM=%d",
                           ivl_t_define(q.a->dtype), ivl_o_define(q.y->dtype), ivl_w_define(q.b->dtype), param[P_WG],
                           param[P_BM], param[P_BK], param[P_RM]);
}

/* t as a matrix of n columns: a gradient may have another shape of the same size. */
static ivl_tensor matrix(const ivl_tensor *t, int64_t n)
{
    ivl_tensor v = *t;
    if (ivl_cols(t) != n) v.pitch = n;
    return v;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_product q = ivl_product_of(n);
    int rows = p->p[P_BM], cols = tile_cols(p->p);
    ivl_args a = { 0 };
    ivl_tensor y = matrix(q.y, q.n);
    ivl_arg_tensor(&a, q.a), ivl_arg_tensor(&a, q.b), ivl_arg_tensor(&a, q.bias), ivl_arg_tensor(&a, q.res);
    ivl_arg_tensor(&a, q.ls), ivl_arg_tensor(&a, q.scale), ivl_arg_tensor(&a, &y), ivl_arg_tensor(&a, q.z);
    ivl_arg_int(&a, (int)q.m), ivl_arg_int(&a, (int)q.n), ivl_arg_int(&a, (int)q.k);
    ivl_arg_int(&a, q.ta), ivl_arg_int(&a, !q.tb);
    ivl_arg_int(&a, q.scale ? (int)(q.m / ivl_numel(q.scale)) : 1);
    ivl_arg_int(&a, ivl_product_flags(n, &q));
    return ivl_enqueue(s, p->k[0], (q.n + cols - 1) / cols, (q.m + rows - 1) / rows, 1, p->p[P_WG], &a);
}

#define TILED(op_)                                                                                           \
    {                                                                                                        \
        .name = #op_ ".any.tiled", .op = IVL_OP_##op_, .fits = ivl_fits_kernels, .prepare = prepare,         \
        .run = run, .destroy = ivl_prep_destroy, .space = &space                                             \
    }

const ivl_impl ivl_linear_impls[] = { TILED(linear) };
const ivl_impl ivl_linear_gelu_impls[] = { TILED(linear_gelu) };
const ivl_impl ivl_linear_residual_impls[] = { TILED(linear_residual) };
const ivl_impl ivl_matmul_impls[] = { TILED(matmul) };

/* --- column sums ---------------------------------------------------------------------------------- */

static size_t sum_scratch(const ivl_caps *c, const ivl_node *n)
{
    ivl_chunks chunks = ivl_row_chunks(c, ivl_rows(n->x[0]), true);
    return sizeof(float) * (size_t)chunks.n * (size_t)ivl_cols(n->x[0]);
}

static ivl_status sum_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "column_partial", "column_sum" };
    for (int i = 0; i < 2; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "linear", entry[i], "%s -DWG_SIZE=%d -DVEC=%d",
                                ivl_t_define(n->x[0]->dtype), param[0], param[1]));
    return IVL_OK;
}

static ivl_status sum_run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    const ivl_tensor *dy = n->x[0];
    ivl_chunks chunks = ivl_row_chunks(ivl_device_caps(s->dev), ivl_rows(dy), true);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, dy);
    ivl_arg_buffer(&a, scratch, off / (int64_t)sizeof(float));
    ivl_arg_int(&a, (int)ivl_rows(dy)), ivl_arg_int(&a, (int)ivl_cols(dy)), ivl_arg_int(&a, chunks.per);
    IVL_TRY(ivl_enqueue(s, p->k[0], chunks.n, 1, 1, p->p[0], &a));
    return ivl_column_sum(s, p, p->k[1], scratch, off / (int64_t)sizeof(float), chunks.n, n->y[0],
                          ivl_adds(n, 0));
}

const ivl_impl ivl_linear_bwd_b_impls[] = {
    { .name = "linear_bwd_b.any.chunks",
      .op = IVL_OP_linear_bwd_b,
      .fits = ivl_fits_kernels,
      .scratch = sum_scratch,
      .prepare = sum_prepare,
      .run = sum_run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
