/* add: y = a + b of one shape. */
#include "ops/flat.h"

ivl_val ivl_add(ivl_graph *g, ivl_val a, ivl_val b)
{
    return ivl_record(g, IVL_OP_add, (ivl_val[]){ a, b }, 2, 1, NULL, 0, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "a", -1));
    IVL_TRY(ivl_need_like(n, 1, "b", n->x[0]));
    return ivl_out_like(n, 0, n->x[0]);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    IVL_TRY(ivl_pass_grad(g, n->out[0], n->in[0]));
    return ivl_pass_grad(g, n->out[0], n->in[1]);
}

static double flops(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "add", "add_fwd", "%s -DWG_SIZE=%d",
                           ivl_t_define(n->x[0]->dtype), param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *t[] = { n->x[0], n->x[1], n->y[0] };
    ivl_span span = ivl_span_of(t, 3, false, p->p);
    ivl_args a = { 0 };
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, t[i]);
    ivl_arg_span(&a, &span);
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static const ivl_impl impls[] = {
    { .name = "add.any.flat", .op = IVL_OP_add, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_add = {
    .name = "add",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_add,
    .ref32 = ivl_ref32_add,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
