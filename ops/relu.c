/* relu: max(x, 0). The gradient passes where y > 0; it asks y and not x, which nobody else may need. */
#include "ops/flat.h"

ivl_val ivl_relu(ivl_graph *g, ivl_val x) { return ivl_record(g, IVL_OP_relu, &x, 1, 1, NULL, 0, NULL); }

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "x", NULL));
    return ivl_out_like(n, 0, n->x[0]);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    return ivl_record_bwd(g, IVL_OP_relu_bwd, (ivl_val[]){ n->out[0], ivl_grad(g, n->out[0]) }, 2, n->in, 1, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "y", NULL));
    IVL_TRY(ivl_need_like(n, 1, "dy", n->x[0]));
    return ivl_out_like(n, 0, n->x[0]);
}

static double flops(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "relu", n->op == IVL_OP_relu ? "relu_fwd" : "relu_bwd", "%s -DWG_SIZE=%d",
                           ivl_t_define(n->x[0]->dtype), param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    bool bwd = n->op == IVL_OP_relu_bwd;
    const ivl_tensor *t[] = { n->x[0], bwd ? n->x[1] : NULL, n->y[0] };
    ivl_span span = ivl_span_of(t, 3, false, p->p);
    ivl_args a = { 0 };
    for (int i = 0; i < 3; i++)
        if (t[i]) ivl_arg_tensor(&a, t[i]);
    ivl_arg_span(&a, &span);
    if (bwd) ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static const ivl_impl impls[] = {
    { .name = "relu.any.flat", .op = IVL_OP_relu, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_flat_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "relu_bwd.any.flat",
      .op = IVL_OP_relu_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_relu = {
    .name = "relu",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_relu,
    .ref32 = ivl_ref32_relu,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_relu_bwd = {
    .name = "relu_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_relu_bwd,
    .ref32 = ivl_ref32_relu_bwd,
    .flops = flops,
    .impls = impls_bwd,
    .n_impls = 1,
};
