/* resize2d: bilinear resizing of a map. Cell i of n_to looks at (i + 1/2) n / n_to - 1/2, at least 0, between cells
 * k and k + 1 of n (the last one repeats); in whole numbers ((2i + 1) n - n_to) / (2 n_to), so weights are exact. The
 * gradient is gathered: a cell asks the outputs that can have looked at it. */
#include "ops/resize.h"

ivl_val ivl_resize2d(ivl_graph *g, ivl_val x, ivl_resize2d_attr a)
{
    return ivl_record(g, IVL_OP_resize2d, &x, 1, 1, &a, sizeof a, NULL);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    return ivl_record_bwd(g, IVL_OP_resize2d_bwd, &dy, 1, n->in, 1, n->attr, sizeof(ivl_resize2d_attr));
}

static double flops(const ivl_node *n) { return 7.0 * (double)ivl_numel(n->y[0]); }
static double flops_bwd(const ivl_node *n) { return 8.0 * (double)ivl_numel(n->x[0]); }

/* --- portable: one group per row of the larger map, or per token of the gradient --------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "resize2d", n->op == IVL_OP_resize2d ? "resize2d_fwd" : "resize2d_bwd",
                           "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    if (n->op == IVL_OP_resize2d_bwd) return ivl_resize_enqueue_bwd(s, n, p);
    return ivl_resize_enqueue(s, n, p, ((const ivl_resize2d_attr *)n->attr)->to_h);
}

static const ivl_impl impls[] = {
    { .name = "resize2d.any.group",
      .op = IVL_OP_resize2d,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "resize2d_bwd.any.gather",
      .op = IVL_OP_resize2d_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_resize2d = {
    .name = "resize2d",
    .infer = ivl_resize_infer,
    .grad = grad,
    .ref64 = ivl_ref64_resize2d,
    .ref32 = ivl_ref32_resize2d,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_resize2d_bwd = {
    .name = "resize2d_bwd",
    .infer = ivl_resize_infer_bwd,
    .ref64 = ivl_ref64_resize2d_bwd,
    .ref32 = ivl_ref32_resize2d_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
