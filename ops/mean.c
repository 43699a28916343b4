/* mean: x[B,N,C] -> [B,1,C] over tokens: the query of attention pooling. Gradient: dx[b,n] = dy[b] / N. */
#include "ops/op.h"

ivl_val ivl_mean(ivl_graph *g, ivl_val x) { return ivl_record(g, IVL_OP_mean, &x, 1, 1, NULL, 0, NULL); }

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", 3));
    const ivl_tensor *x = n->x[0];
    char text[96];
    IVL_CHECK(ivl_is_float(x->dtype) && x->dim[1] > 0, IVL_ESHAPE, "mean: no tokens to average in %s",
              ivl_tensor_text(x, text, sizeof text));
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], 1, x->dim[2] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    return ivl_record_bwd(g, IVL_OP_mean_bwd, &dy, 1, n->in, 1, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    const ivl_tensor *dy = n->x[0], *dx = n->y[0];
    char a[96], b[96];
    IVL_CHECK(dx && dx->rank == 3 && dx->dtype == dy->dtype && dx->dim[1] > 0 &&
                  ivl_cols(dy) == ivl_cols(dx) && ivl_rows(dy) == dx->dim[0],
              IVL_ESHAPE, "mean_bwd: %s is no gradient of the mean of %s", ivl_tensor_text(dy, a, sizeof a),
              dx ? ivl_tensor_text(dx, b, sizeof b) : "nothing");
    return IVL_OK;
}

static double flops(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }
static double flops_bwd(const ivl_node *n) { return (double)ivl_numel(n->y[0]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "mean", n->op == IVL_OP_mean ? "mean_fwd" : "mean_bwd",
                           "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *x = n->x[0];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, x);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)x->dim[1]), ivl_arg_int(&a, (int)x->dim[2]);
    return ivl_enqueue(s, p->k[0], ivl_flat_groups(x->dim[2], p->p), x->dim[0], 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *dx = n->y[0];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_tensor(&a, dx);
    ivl_arg_int(&a, (int)dx->dim[1]), ivl_arg_int(&a, (int)dx->dim[2]), ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], dx->dim[1], dx->dim[0], 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "mean.any.strip",
      .op = IVL_OP_mean,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_strip_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "mean_bwd.any.group",
      .op = IVL_OP_mean_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_mean = {
    .name = "mean",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_mean,
    .ref32 = ivl_ref32_mean,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_mean_bwd = {
    .name = "mean_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_mean_bwd,
    .ref32 = ivl_ref32_mean_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
