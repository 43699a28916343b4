/* batch_norm: y = (x - mean) rstd w + b by column (Ioffe & Szegedy, 1502.03167). With xhat = (x - mean) rstd:
 *
 *   db = sum dy,   dw = sum dy xhat,   dx = w rstd (dy - (db + xhat dw) / R)   with statistics of the batch,
 *                                      dx = w rstd dy                          with given ones. */
#include "ops/op.h"

enum { X, W, B, RUNNING_MEAN, RUNNING_VAR };

ivl_val ivl_batch_norm(ivl_graph *g, ivl_val x, ivl_val w, ivl_val b, ivl_val running_mean, ivl_val running_var,
                       ivl_batch_norm_attr a)
{
    return ivl_record(g, IVL_OP_batch_norm, (ivl_val[]){ x, w, b, running_mean, running_var }, 5, 3, &a, sizeof a,
                      NULL);
}

/* Inputs from..to are vectors as wide as x, of type `type`. */
static ivl_status check_columns(const ivl_node *n, int from, int to, ivl_dtype type)
{
    char a[96], b[96];
    for (int i = from; i <= to; i++) {
        IVL_TRY(ivl_need(n, i, "a value per column", -1));
        IVL_CHECK(ivl_numel(n->x[i]) == ivl_cols(n->x[X]) && n->x[i]->dtype == type && ivl_contiguous(n->x[i]),
                  IVL_ESHAPE, "batch_norm: input %d, %s, does not fit %s", i, ivl_tensor_text(n->x[i], a, sizeof a),
                  ivl_tensor_text(n->x[X], b, sizeof b));
    }
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_batch_norm_attr *a = n->attr;
    IVL_TRY(ivl_need(n, X, "x", -1));
    const ivl_tensor *x = n->x[X];
    ivl_dtype s = ivl_stat_dtype(x->dtype);
    int64_t cols = ivl_cols(x);
    char text[96];
    IVL_CHECK(ivl_is_float(x->dtype) && ivl_rows(x) > (a->train ? 1 : 0), IVL_ESHAPE,
              "batch_norm: %s has too few rows for statistics", ivl_tensor_text(x, text, sizeof text));
    IVL_TRY(check_columns(n, W, B, x->dtype));
    IVL_TRY(check_columns(n, RUNNING_MEAN, RUNNING_VAR, s));
    IVL_TRY(ivl_out_like(n, 0, x));
    IVL_TRY(ivl_out(n, 1, s, 1, &cols));
    return ivl_out(n, 2, s, 1, &cols);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[X], n->in[W], n->out[1], n->out[2], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_batch_norm_bwd, in, 5, (ivl_val[]){ n->in[X], n->in[W], n->in[B] }, 3, n->attr,
                          sizeof(ivl_batch_norm_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, X, "x", -1));
    const ivl_tensor *x = n->x[X];
    ivl_dtype s = ivl_stat_dtype(x->dtype);
    int64_t cols = ivl_cols(x);
    IVL_TRY(check_columns(n, W, W, x->dtype));
    IVL_TRY(check_columns(n, 2, 3, s));
    IVL_TRY(ivl_need_like(n, 4, "dy", x));
    IVL_TRY(ivl_out_like(n, 0, x));
    IVL_TRY(ivl_out(n, 1, s, 1, &cols));
    return ivl_out(n, 2, s, 1, &cols);
}

static double flops(const ivl_node *n) { return 7.0 * (double)ivl_numel(n->x[X]); }
static double flops_bwd(const ivl_node *n) { return 10.0 * (double)ivl_numel(n->x[X]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "batch_norm",
                           n->op == IVL_OP_batch_norm ? "batch_norm_fwd" : "batch_norm_bwd", "%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[X]->dtype), param[0], param[1]);
}

static ivl_status enqueue(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_args *a)
{
    ivl_arg_long(a, ivl_rows(n->x[X])), ivl_arg_int(a, (int)ivl_cols(n->x[X]));
    ivl_arg_int(a, ((const ivl_batch_norm_attr *)n->attr)->train);
    return ivl_enqueue(s, p->k[0], ivl_flat_groups(ivl_cols(n->x[X]), p->p), 1, 1, p->p[0], a);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_batch_norm_attr *at = n->attr;
    ivl_args a = { 0 };
    for (int i = 0; i < 5; i++) ivl_arg_tensor(&a, n->x[i]);
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->y[i]);
    ivl_arg_int(&a, n->y[1] != NULL), ivl_arg_int(&a, n->y[2] != NULL);
    ivl_arg_float(&a, (float)at->eps), ivl_arg_float(&a, (float)at->momentum);
    return enqueue(s, n, p, &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_args a = { 0 };
    for (int i = 0; i < 5; i++) ivl_arg_tensor(&a, n->x[i]);
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->y[i]);
    for (int i = 0; i < 3; i++) ivl_arg_int(&a, n->y[i] != NULL);
    ivl_arg_int(&a, n->add_mask);
    return enqueue(s, n, p, &a);
}

static const ivl_impl impls[] = {
    { .name = "batch_norm.any.strip",
      .op = IVL_OP_batch_norm,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_strip_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "batch_norm_bwd.any.strip",
      .op = IVL_OP_batch_norm_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_strip_space },
};

const ivl_op_desc ivl_desc_batch_norm = {
    .name = "batch_norm",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_batch_norm,
    .ref32 = ivl_ref32_batch_norm,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
    .mutates = 1 << RUNNING_MEAN | 1 << RUNNING_VAR,
};
const ivl_op_desc ivl_desc_batch_norm_bwd = {
    .name = "batch_norm_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_batch_norm_bwd,
    .ref32 = ivl_ref32_batch_norm_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
