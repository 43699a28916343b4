/* l2_norm: y = x / |x| by row, without an epsilon: a row of zeros gives NaN, as in the reference model.
 * Second output r = 1 / |x|. Gradient: dx = r (dy - x r^2 (x . dy)). */
#include "ops/op.h"

ivl_val ivl_l2_norm(ivl_graph *g, ivl_val x)
{
    return ivl_record(g, IVL_OP_l2_norm, &x, 1, 2, NULL, 0, NULL);
}

static ivl_status check_x(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    IVL_CHECK(ivl_is_float(n->x[0]->dtype), IVL_EINVAL, "l2_norm: x is %s, not a float type",
              ivl_dtype_name(n->x[0]->dtype));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(check_x(n));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    return ivl_out(n, 1, ivl_stat_dtype(n->x[0]->dtype), 1, (int64_t[]){ ivl_rows(n->x[0]) });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], n->out[1], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_l2_norm_bwd, in, 3, n->in, 1, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(check_x(n));
    IVL_TRY(ivl_need(n, 1, "1/|x|", -1));
    IVL_TRY(ivl_need(n, 2, "dy", -1));
    return ivl_out_like(n, 0, n->x[0]);
}

static double flops(const ivl_node *n) { return 3.0 * (double)ivl_numel(n->x[0]); }
static double flops_bwd(const ivl_node *n) { return 5.0 * (double)ivl_numel(n->x[0]); }

/* --- portable: one group per row ------------------------------------------------------------------ */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "l2_norm",
                           n->op == IVL_OP_l2_norm ? "l2_norm_fwd" : "l2_norm_bwd",
                           "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_tensor(&a, n->y[1]);
    ivl_arg_int(&a, (int)ivl_cols(n->x[0])), ivl_arg_int(&a, n->y[1] != NULL);
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    (void)scratch, (void)off;
    ivl_args a = { 0 };
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)ivl_cols(n->x[0])), ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "l2_norm.any.group",
      .op = IVL_OP_l2_norm,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "l2_norm_bwd.any.group",
      .op = IVL_OP_l2_norm_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_l2_norm = {
    .name = "l2_norm",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_l2_norm,
    .ref32 = ivl_ref32_l2_norm,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_l2_norm_bwd = {
    .name = "l2_norm_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_l2_norm_bwd,
    .ref32 = ivl_ref32_l2_norm_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
