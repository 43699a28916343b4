/* silu_mul: gate sigmoid(gate) up, the middle of SwiGLU (Shazeer, 2002.05202). With s = sigmoid(gate):
 *   dgate = dy up s (1 + gate (1 - s)),   dup = dy gate s. */
#include "ops/flat.h"

ivl_val ivl_silu_mul(ivl_graph *g, ivl_val gate, ivl_val up)
{
    return ivl_record(g, IVL_OP_silu_mul, (ivl_val[]){ gate, up }, 2, 1, NULL, 0, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "gate", NULL));
    IVL_TRY(ivl_need_like(n, 1, "up", n->x[0]));
    return ivl_out_like(n, 0, n->x[0]);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], n->in[1], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_silu_mul_bwd, in, 3, n->in, 2, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "gate", NULL));
    IVL_TRY(ivl_need_like(n, 1, "up", n->x[0]));
    IVL_TRY(ivl_need_like(n, 2, "dy", n->x[0]));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    return ivl_out_like(n, 1, n->x[0]);
}

static double flops(const ivl_node *n) { return 15.0 * (double)ivl_numel(n->x[0]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "silu_mul_bwd_gate", "silu_mul_bwd_up" };
    const char *t = ivl_t_define(n->x[0]->dtype);
    if (n->op == IVL_OP_silu_mul)
        return ivl_prep_kernel(d, p_p, 0, param, "silu_mul", "silu_mul_fwd", "%s -DWG_SIZE=%d", t, param[0]);
    for (int i = 0; i < 2; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "silu_mul", entry[i], "%s -DWG_SIZE=%d", t, param[0]));
    return IVL_OK;
}

static ivl_status launch(ivl_stream *s, const ivl_prep *p, int k, const ivl_tensor *const *t, int n, int add)
{
    ivl_span span = ivl_span_of(t, n, false, p->p);
    ivl_args a = { 0 };
    for (int i = 0; i < n; i++) ivl_arg_tensor(&a, t[i]);
    ivl_arg_span(&a, &span);
    if (add >= 0) ivl_arg_int(&a, add);
    return ivl_enqueue_span(s, p->k[k], &span, p->p, &a);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *gate = n->x[0], *up = n->x[1], *dy = n->x[2];
    if (n->op == IVL_OP_silu_mul) return launch(s, p, 0, (const ivl_tensor *[]){ gate, up, n->y[0] }, 3, -1);
    if (n->y[0]) IVL_TRY(launch(s, p, 0, (const ivl_tensor *[]){ gate, up, dy, n->y[0] }, 4, ivl_adds(n, 0)));
    if (n->y[1]) IVL_TRY(launch(s, p, 1, (const ivl_tensor *[]){ gate, dy, n->y[1] }, 3, ivl_adds(n, 1)));
    return IVL_OK;
}

static const ivl_impl impls[] = {
    { .name = "silu_mul.any.flat",
      .op = IVL_OP_silu_mul,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "silu_mul_bwd.any.flat",
      .op = IVL_OP_silu_mul_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_silu_mul = {
    .name = "silu_mul",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_silu_mul,
    .ref32 = ivl_ref32_silu_mul,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_silu_mul_bwd = {
    .name = "silu_mul_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_silu_mul_bwd,
    .ref32 = ivl_ref32_silu_mul_bwd,
    .flops = flops,
    .impls = impls_bwd,
    .n_impls = 1,
};
