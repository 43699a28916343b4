/* max_pool: the largest of each 2x2 cells of a map. Its gradient goes to that cell, the first of equal ones. */
#include "ops/op.h"

ivl_val ivl_max_pool(ivl_graph *g, ivl_val x, int h, int w)
{
    ivl_map_attr a = { h, w };
    return ivl_record(g, IVL_OP_max_pool, &x, 1, 1, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x[B,h*w,C]", 3));
    const ivl_tensor *x = n->x[0];
    char text[96];
    IVL_CHECK(ivl_is_float(x->dtype) && a->h > 1 && a->w > 1 && x->dim[1] == (int64_t)a->h * a->w, IVL_ESHAPE,
              "max_pool: %s is no map of %d x %d, at least 2 x 2", ivl_tensor_text(x, text, sizeof text), a->h, a->w);
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], (int64_t)(a->h / 2) * (a->w / 2), x->dim[2] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_max_pool_bwd, in, 2, n->in, 1, n->attr, sizeof(ivl_map_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x[B,h*w,C]", 3));
    IVL_TRY(ivl_need(n, 1, "dy", -1));
    const ivl_tensor *x = n->x[0], *dy = n->x[1];
    char s[96], t[96];
    IVL_CHECK(dy->dtype == x->dtype && x->dim[1] == (int64_t)a->h * a->w && ivl_cols(dy) == x->dim[2] &&
                  ivl_rows(dy) == x->dim[0] * (a->h / 2) * (a->w / 2),
              IVL_ESHAPE, "max_pool_bwd: %s is no gradient of %s", ivl_tensor_text(dy, s, sizeof s),
              ivl_tensor_text(x, t, sizeof t));
    return ivl_out_like(n, 0, x);
}

static double flops(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }

/* --- portable: one group per token of the output ------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "max_pool", n->op == IVL_OP_max_pool ? "max_pool_fwd" : "max_pool_bwd",
                           "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_map_attr *at = n->attr;
    const ivl_tensor *y = n->y[0];
    ivl_args a = { 0 };
    for (int i = 0; i < n->n_in; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, y);
    ivl_arg_int(&a, at->h), ivl_arg_int(&a, at->w), ivl_arg_int(&a, (int)ivl_cols(y));
    if (n->op == IVL_OP_max_pool_bwd) ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], ivl_rows(y) / n->x[0]->dim[0], n->x[0]->dim[0], 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "max_pool.any.group",
      .op = IVL_OP_max_pool,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "max_pool_bwd.any.group",
      .op = IVL_OP_max_pool_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_max_pool = {
    .name = "max_pool",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_max_pool,
    .ref32 = ivl_ref32_max_pool,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_max_pool_bwd = {
    .name = "max_pool_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_max_pool_bwd,
    .ref32 = ivl_ref32_max_pool_bwd,
    .flops = flops,
    .impls = impls_bwd,
    .n_impls = 1,
};
