/* rms_norm: y = x / sqrt(mean(x^2) + eps) * w by row (Zhang & Sennrich, 1910.07467). In InternViT the row of
 * q and k is the full width, before the split into heads. Gradient, with r = rstd, g = dy w:
 *
 *   dx = r (g - x r^2 mean(g x)),   dw = sum over rows of dy x r. */
#include "ops/column_sum.h"

ivl_val ivl_rms_norm(ivl_graph *g, ivl_val x, ivl_val w, double eps)
{
    ivl_norm_attr a = { eps };
    return ivl_record(g, IVL_OP_rms_norm, (ivl_val[]){ x, w }, 2, 2, &a, sizeof a, NULL);
}

/* x and w of one type, w of x's width. */
static ivl_status check_weight(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    IVL_TRY(ivl_need(n, 1, "w", -1));
    const ivl_tensor *x = n->x[0], *w = n->x[1];
    char a[96], b[96];
    IVL_CHECK(ivl_numel(w) == ivl_cols(x) && w->dtype == x->dtype && ivl_is_float(x->dtype), IVL_ESHAPE,
              "rms_norm: weight %s does not fit %s", ivl_tensor_text(w, a, sizeof a),
              ivl_tensor_text(x, b, sizeof b));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(check_weight(n));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    return ivl_out(n, 1, ivl_stat_dtype(n->x[0]->dtype), 1, (int64_t[]){ ivl_rows(n->x[0]) });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], n->in[1], n->out[1], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_rms_norm_bwd, in, 4, (ivl_val[]){ n->in[0], n->in[1] }, 2, n->attr,
                          sizeof(ivl_norm_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(check_weight(n));
    IVL_TRY(ivl_need(n, 2, "rstd", -1));
    IVL_TRY(ivl_need(n, 3, "dy", -1));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    return ivl_out_column_sum(n, 1, n->x[0]->dtype, ivl_cols(n->x[0]));
}

static double flops(const ivl_node *n) { return 4.0 * (double)ivl_numel(n->x[0]); }
static double flops_bwd(const ivl_node *n) { return 9.0 * (double)ivl_numel(n->x[0]); }

/* --- portable: one group per row, or per chunk of rows ------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "rms_norm", "rms_norm_fwd", "%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_tensor(&a, n->x[1]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_tensor(&a, n->y[1]);
    ivl_arg_int(&a, (int)ivl_cols(n->x[0]));
    ivl_arg_float(&a, (float)((const ivl_norm_attr *)n->attr)->eps);
    ivl_arg_int(&a, n->y[1] != NULL);
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

static size_t scratch_bwd(const ivl_caps *c, const ivl_node *n)
{
    ivl_chunks chunks = ivl_row_chunks(c, ivl_rows(n->x[0]), n->y[1]);
    return n->y[1] ? sizeof(float) * (size_t)chunks.n * (size_t)ivl_cols(n->x[0]) : 0;
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "rms_norm_bwd", "column_sum" };
    for (int i = 0; i < 2; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "rms_norm", entry[i], "%s -DWG_SIZE=%d -DVEC=%d",
                                ivl_t_define(n->x[0]->dtype), param[0], param[1]));
    return IVL_OK;
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    int64_t rows = ivl_rows(n->x[0]);
    ivl_chunks chunks = ivl_row_chunks(ivl_device_caps(s->dev), rows, n->y[1]);
    ivl_args a = { 0 };
    for (int i = 0; i < 4; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, (int)rows), ivl_arg_int(&a, (int)ivl_cols(n->x[0])), ivl_arg_int(&a, chunks.per);
    ivl_arg_int(&a, n->y[0] != NULL), ivl_arg_int(&a, n->y[1] != NULL), ivl_arg_int(&a, ivl_adds(n, 0));
    IVL_TRY(ivl_enqueue(s, p->k[0], chunks.n, 1, 1, p->p[0], &a));
    if (!n->y[1]) return IVL_OK;
    return ivl_column_sum(s, p, p->k[1], scratch, off / 4, chunks.n, n->y[1], ivl_adds(n, 1));
}

static const ivl_impl impls[] = {
    { .name = "rms_norm.any.group",
      .op = IVL_OP_rms_norm,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "rms_norm_bwd.any.chunk",
      .op = IVL_OP_rms_norm_bwd,
      .fits = ivl_fits_kernels,
      .scratch = scratch_bwd,
      .prepare = prepare_bwd,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_rms_norm = {
    .name = "rms_norm",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_rms_norm,
    .ref32 = ivl_ref32_rms_norm,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_rms_norm_bwd = {
    .name = "rms_norm_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_rms_norm_bwd,
    .ref32 = ivl_ref32_rms_norm_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
