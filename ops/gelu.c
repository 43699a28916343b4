/* gelu: x Phi(x), exact (Hendrycks & Gimpel, 1606.08415). Gradient: dx = dy (Phi(x) + x phi(x)). */
#include "ops/flat.h"

ivl_val ivl_gelu(ivl_graph *g, ivl_val x) { return ivl_record(g, IVL_OP_gelu, &x, 1, 1, NULL, 0, NULL); }

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "x", NULL));
    return ivl_out_like(n, 0, n->x[0]);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    return ivl_record_bwd(g, IVL_OP_gelu_bwd, (ivl_val[]){ n->in[0], ivl_grad(g, n->out[0]) }, 2, n->in, 1,
                          NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "x", NULL));
    IVL_TRY(ivl_need_like(n, 1, "dy", n->x[0]));
    return ivl_out_like(n, 0, n->x[0]);
}

/* the exponential and the polynomials, roughly */
static double flops(const ivl_node *n) { return 25.0 * (double)ivl_numel(n->x[0]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "gelu", n->op == IVL_OP_gelu ? "gelu_fwd" : "gelu_bwd",
                           "%s -DWG_SIZE=%d", ivl_t_define(n->x[0]->dtype), param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    bool bwd = n->op == IVL_OP_gelu_bwd;
    const ivl_tensor *t[] = { n->x[0], bwd ? n->x[1] : NULL, n->y[0] };
    ivl_span span = ivl_span_of(t, 3, false, p->p);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, t[0]);
    if (bwd) ivl_arg_tensor(&a, t[1]);
    ivl_arg_tensor(&a, t[2]);
    ivl_arg_span(&a, &span);
    if (bwd) ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static const ivl_impl impls[] = {
    { .name = "gelu.any.flat", .op = IVL_OP_gelu, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_flat_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "gelu_bwd.any.flat",
      .op = IVL_OP_gelu_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_gelu = {
    .name = "gelu",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_gelu,
    .ref32 = ivl_ref32_gelu,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_gelu_bwd = {
    .name = "gelu_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_gelu_bwd,
    .ref32 = ivl_ref32_gelu_bwd,
    .flops = flops,
    .impls = impls_bwd,
    .n_impls = 1,
};
