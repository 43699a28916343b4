/* The portable matrix product (kernels/linear.cl): right on any device, quick on none. linear, its fused forms and matmul
 * are one kernel; what they ask for becomes defines. */
#include "ops/column_sum.h"
#include "ops/gemm_tiled.h"

enum { TILE = 16 };

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

static void defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    (void)n;
    param[0] = c->features & IVL_CAP_GPU && c->max_group >= TILE * TILE ? TILE * TILE : 1;
}

static const ivl_tune_space space = { .n = 1, .name = { "WG_SIZE" }, .values = { { 1, 64, 256 } }, .defaults = defaults };

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    ivl_product q = ivl_product_of(n);
    bool y_f32 = q.y && q.y->dtype == IVL_F32;
    return ivl_prep_kernel(d, p_p, 0, param, "linear", "gemm", "%s -DWG_SIZE=%d%s%s%s%s%s%s%s%s%s",
                           ivl_t_define(q.a->dtype), param[0], q.ta ? " -DTA" : "", q.tb ? " -DTB" : "",
                           y_f32 ? " -DY_F32" : "", q.bias ? " -DHAS_BIAS" : "", q.z ? " -DHAS_Z" : "",
                           n->op == IVL_OP_linear_gelu ? " -DGELU" : "", q.res ? " -DHAS_RES" : "",
                           q.ls ? " -DHAS_LS" : "", q.scale ? " -DHAS_SCALE" : "");
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
    ivl_args a = { 0 };
    ivl_tensor y = matrix(q.y, q.n);
    ivl_arg_tensor(&a, q.a), ivl_arg_tensor(&a, q.b), ivl_arg_tensor(&a, q.bias), ivl_arg_tensor(&a, q.res);
    ivl_arg_tensor(&a, q.ls), ivl_arg_tensor(&a, q.scale), ivl_arg_tensor(&a, &y), ivl_arg_tensor(&a, q.z);
    ivl_arg_int(&a, (int)q.m), ivl_arg_int(&a, (int)q.n), ivl_arg_int(&a, (int)q.k);
    ivl_arg_int(&a, q.scale ? (int)(q.m / ivl_numel(q.scale)) : 1);
    ivl_arg_int(&a, ivl_adds(n, 0)), ivl_arg_int(&a, ivl_adds(n, 1));
    return ivl_enqueue(s, p->k[0], (q.n + TILE - 1) / TILE, (q.m + TILE - 1) / TILE, 1, p->p[0], &a);
}

#define TILED(op_)                                                                                                     \
    { .name = #op_ ".any.tiled", .op = IVL_OP_##op_, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,         \
      .destroy = ivl_prep_destroy, .space = &space }

const ivl_impl ivl_linear_impls[] = { TILED(linear) };
const ivl_impl ivl_linear_gelu_impls[] = { TILED(linear_gelu) };
const ivl_impl ivl_linear_residual_impls[] = { TILED(linear_residual) };
const ivl_impl ivl_matmul_impls[] = { TILED(matmul) };

/* --- column sums ---------------------------------------------------------------------------------------------------- */

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

static ivl_status sum_run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    const ivl_tensor *dy = n->x[0];
    ivl_chunks chunks = ivl_row_chunks(ivl_device_caps(s->dev), ivl_rows(dy), true);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, dy);
    ivl_arg_buffer(&a, scratch, off / (int64_t)sizeof(float));
    ivl_arg_int(&a, (int)ivl_rows(dy)), ivl_arg_int(&a, (int)ivl_cols(dy)), ivl_arg_int(&a, chunks.per);
    IVL_TRY(ivl_enqueue(s, p->k[0], chunks.n, 1, 1, p->p[0], &a));
    return ivl_column_sum(s, p, p->k[1], scratch, off / (int64_t)sizeof(float), chunks.n, n->y[0], ivl_adds(n, 0));
}

const ivl_impl ivl_linear_bwd_b_impls[] = {
    { .name = "linear_bwd_b.any.chunks", .op = IVL_OP_linear_bwd_b, .fits = ivl_fits_kernels, .scratch = sum_scratch,
      .prepare = sum_prepare, .run = sum_run, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
