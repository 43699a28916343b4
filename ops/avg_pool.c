/* avg_pool: adaptive average pooling of a map. Cell i of n_to is the mean of cells [i n / n_to, (i + 1) n / n_to) of n,
 * rounded outwards, so bins may overlap. With n and n_to exchanged the same formula gives the bins that a cell is in:
 * the gradient is gathered. */
#include "ops/resize.h"

ivl_val ivl_avg_pool(ivl_graph *g, ivl_val x, ivl_resize2d_attr a)
{
    return ivl_record(g, IVL_OP_avg_pool, &x, 1, 1, &a, sizeof a, NULL);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    return ivl_record_bwd(g, IVL_OP_avg_pool_bwd, &dy, 1, n->in, 1, n->attr, sizeof(ivl_resize2d_attr));
}

static double flops(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }
static double flops_bwd(const ivl_node *n) { return 2.0 * (double)ivl_numel(n->y[0]); }

/* --- portable: one group per token of the output, or of the gradient --------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "avg_pool", n->op == IVL_OP_avg_pool ? "avg_pool_fwd" : "avg_pool_bwd",
                           "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    if (n->op == IVL_OP_avg_pool_bwd) return ivl_resize_enqueue_bwd(s, n, p);
    return ivl_resize_enqueue(s, n, p, n->y[0]->dim[1]);
}

static const ivl_impl impls[] = {
    { .name = "avg_pool.any.group",
      .op = IVL_OP_avg_pool,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "avg_pool_bwd.any.gather",
      .op = IVL_OP_avg_pool_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_avg_pool = {
    .name = "avg_pool",
    .infer = ivl_resize_infer,
    .grad = grad,
    .ref64 = ivl_ref64_avg_pool,
    .ref32 = ivl_ref32_avg_pool,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_avg_pool_bwd = {
    .name = "avg_pool_bwd",
    .infer = ivl_resize_infer_bwd,
    .ref64 = ivl_ref64_avg_pool_bwd,
    .ref32 = ivl_ref32_avg_pool_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
