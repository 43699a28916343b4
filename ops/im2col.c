/* im2col: each cell of a map with its eight neighbours, so that a 3x3 convolution is a matrix product (Chellapilla et
 * al., 2006). Nine times the map is a lot of memory: record it, with its product, as a block, and it is computed again
 * instead of kept. The gradient is gathered: a cell asks the nine that took it. */
#include "ops/op.h"

ivl_val ivl_im2col(ivl_graph *g, ivl_val x, int h, int w)
{
    ivl_map_attr a = { h, w };
    return ivl_record(g, IVL_OP_im2col, &x, 1, 1, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x[B,h*w,C]", 3));
    const ivl_tensor *x = n->x[0];
    char s[96];
    IVL_CHECK(ivl_is_float(x->dtype) && a->h > 0 && a->w > 0 && x->dim[1] == (int64_t)a->h * a->w, IVL_ESHAPE,
              "im2col: %s is no map of %d x %d", ivl_tensor_text(x, s, sizeof s), a->h, a->w);
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], x->dim[1], 9 * x->dim[2] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    return ivl_record_bwd(g, IVL_OP_im2col_bwd, &dy, 1, n->in, 1, n->attr, sizeof(ivl_map_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    const ivl_tensor *dy = n->x[0];
    int64_t tokens = (int64_t)a->h * a->w, rows = ivl_rows(dy), cols = ivl_cols(dy);
    char s[96];
    IVL_CHECK(tokens > 0 && rows % tokens == 0 && cols % 9 == 0, IVL_ESHAPE,
              "im2col_bwd: %s is no map of %d x %d with channels in nines", ivl_tensor_text(dy, s, sizeof s), a->h,
              a->w);
    return ivl_out(n, 0, dy->dtype, 3, (int64_t[]){ rows / tokens, tokens, cols / 9 });
}

static double flops_bwd(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }

/* --- portable: one group per token ------------------------------------------------------------------------ */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "im2col", n->op == IVL_OP_im2col ? "im2col_fwd" : "im2col_bwd",
                           "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_map_attr *at = n->attr;
    bool back = n->op == IVL_OP_im2col_bwd;
    int64_t tokens = (int64_t)at->h * at->w;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, at->h), ivl_arg_int(&a, at->w), ivl_arg_int(&a, (int)ivl_cols(back ? n->y[0] : n->x[0]));
    if (back) ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], tokens, ivl_rows(n->y[0]) / tokens, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "im2col.any.group",
      .op = IVL_OP_im2col,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "im2col_bwd.any.gather",
      .op = IVL_OP_im2col_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_im2col = {
    .name = "im2col",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_im2col,
    .ref32 = ivl_ref32_im2col,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_im2col_bwd = {
    .name = "im2col_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_im2col_bwd,
    .ref32 = ivl_ref32_im2col_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
