/* depth_to_space: four groups of channels of a map become four cells of one of twice the size. Gradients: the same
 * permutation back; the bias's is a sum over rows. */
#include "ops/op.h"

ivl_val ivl_depth_to_space(ivl_graph *g, ivl_val x, ivl_val b, int h, int w)
{
    ivl_map_attr a = { h, w };
    return ivl_record(g, IVL_OP_depth_to_space, (ivl_val[]){ x, b }, 2, 1, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x[B,h*w,4*C]", 3));
    const ivl_tensor *x = n->x[0], *b = n->x[1];
    char s[96], t[96];
    IVL_CHECK(ivl_is_float(x->dtype) && a->h > 0 && a->w > 0 && x->dim[1] == (int64_t)a->h * a->w && x->dim[2] % 4 == 0,
              IVL_ESHAPE, "depth_to_space: %s is no map of %d x %d with channels in fours",
              ivl_tensor_text(x, s, sizeof s), a->h, a->w);
    IVL_CHECK(!b || (b->dtype == x->dtype && ivl_numel(b) == x->dim[2] / 4 && ivl_contiguous(b)), IVL_ESHAPE,
              "depth_to_space: bias %s does not fit %s", b ? ivl_tensor_text(b, t, sizeof t) : "",
              ivl_tensor_text(x, s, sizeof s));
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], 4 * x->dim[1], x->dim[2] / 4 });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    IVL_TRY(ivl_record_bwd(g, IVL_OP_depth_to_space_bwd, &dy, 1, &n->in[0], 1, n->attr, sizeof(ivl_map_attr)));
    return n->x[1] ? ivl_record_bwd(g, IVL_OP_linear_bwd_b, &dy, 1, &n->in[1], 1, NULL, 0) : IVL_OK;
}

static ivl_status infer_bwd(const ivl_node *n)
{
    const ivl_map_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    const ivl_tensor *dy = n->x[0];
    int64_t tokens = (int64_t)a->h * a->w, rows = ivl_rows(dy);
    char s[96];
    IVL_CHECK(tokens > 0 && rows % (4 * tokens) == 0, IVL_ESHAPE, "depth_to_space_bwd: %s is no map of %d x %d",
              ivl_tensor_text(dy, s, sizeof s), 2 * a->h, 2 * a->w);
    return ivl_out(n, 0, dy->dtype, 3, (int64_t[]){ rows / (4 * tokens), tokens, 4 * ivl_cols(dy) });
}

/* --- portable: one group per token of the larger map ----------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    const char *entry = n->op == IVL_OP_depth_to_space ? "depth_to_space_fwd" : "depth_to_space_bwd";
    return ivl_prep_kernel(d, p_p, 0, param, "depth_to_space", entry, "%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_map_attr *at = n->attr;
    const ivl_tensor *x = n->x[0];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, x), ivl_arg_tensor(&a, n->x[1]), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, at->h), ivl_arg_int(&a, at->w), ivl_arg_int(&a, (int)x->dim[2] / 4), ivl_arg_int(&a, !!n->x[1]);
    return ivl_enqueue(s, p->k[0], 4 * x->dim[1], x->dim[0], 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_map_attr *at = n->attr;
    const ivl_tensor *dy = n->x[0];
    int64_t tokens = 4 * (int64_t)at->h * at->w;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, dy), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, at->h), ivl_arg_int(&a, at->w), ivl_arg_int(&a, (int)ivl_cols(dy)), ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], tokens, ivl_rows(dy) / tokens, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "depth_to_space.any.group",
      .op = IVL_OP_depth_to_space,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "depth_to_space_bwd.any.group",
      .op = IVL_OP_depth_to_space_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_depth_to_space = {
    .name = "depth_to_space",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_depth_to_space,
    .ref32 = ivl_ref32_depth_to_space,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_depth_to_space_bwd = {
    .name = "depth_to_space_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_depth_to_space_bwd,
    .ref32 = ivl_ref32_depth_to_space_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
