/* resize2d: bilinear resizing of a map. Cell i of n_to looks at (i + 1/2) n / n_to - 1/2, at least 0, between cells
 * k and k + 1 of n (the last one repeats); in whole numbers ((2i + 1) n - n_to) / (2 n_to), so weights are exact. The
 * gradient is gathered: a cell asks the outputs that can have looked at it. */
#include "ops/op.h"

ivl_val ivl_resize2d(ivl_graph *g, ivl_val x, ivl_resize2d_attr a)
{
    return ivl_record(g, IVL_OP_resize2d, &x, 1, 1, &a, sizeof a, NULL);
}

enum { MAX_SIDE = 16384 }; /* so that whole numbers stay within 32 bits */

static ivl_status check(const ivl_resize2d_attr *a, const ivl_tensor *x, int64_t tokens)
{
    char s[96];
    bool sides = a->h > 0 && a->w > 0 && a->to_h > 0 && a->to_w > 0 && a->h <= MAX_SIDE && a->w <= MAX_SIDE &&
                 a->to_h <= MAX_SIDE && a->to_w <= MAX_SIDE;
    IVL_CHECK(sides && ivl_is_float(x->dtype) && ivl_rows(x) % tokens == 0, IVL_ESHAPE,
              "resize2d: %s does not go from %d x %d to %d x %d (sides of at most %d)", ivl_tensor_text(x, s, sizeof s),
              a->h, a->w, a->to_h, a->to_w, MAX_SIDE);
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x[B,h*w,C]", 3));
    const ivl_tensor *x = n->x[0];
    IVL_TRY(check(a, x, x->dim[1] == (int64_t)a->h * a->w ? x->dim[1] : INT64_MAX));
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], (int64_t)a->to_h * a->to_w, x->dim[2] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    return ivl_record_bwd(g, IVL_OP_resize2d_bwd, &dy, 1, n->in, 1, n->attr, sizeof(ivl_resize2d_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    const ivl_tensor *dy = n->x[0];
    int64_t tokens = (int64_t)a->to_h * a->to_w;
    IVL_TRY(check(a, dy, tokens > 0 ? tokens : INT64_MAX));
    return ivl_out(n, 0, dy->dtype, 3, (int64_t[]){ ivl_rows(dy) / tokens, (int64_t)a->h * a->w, ivl_cols(dy) });
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
    const ivl_resize2d_attr *at = n->attr;
    const ivl_tensor *y = n->y[0];
    bool back = n->op == IVL_OP_resize2d_bwd;
    int64_t groups = back ? (int64_t)at->h * at->w : at->to_h, batch = n->x[0]->dim[0];
    if (back) batch = ivl_rows(y) / groups;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]), ivl_arg_tensor(&a, y);
    ivl_arg_int(&a, at->h), ivl_arg_int(&a, at->w), ivl_arg_int(&a, at->to_h), ivl_arg_int(&a, at->to_w);
    ivl_arg_int(&a, (int)ivl_cols(y));
    if (back) ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], groups, batch, 1, p->p[0], &a);
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
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_resize2d,
    .ref32 = ivl_ref32_resize2d,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_resize2d_bwd = {
    .name = "resize2d_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_resize2d_bwd,
    .ref32 = ivl_ref32_resize2d_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
