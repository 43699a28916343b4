/* rms_norm: y = x / sqrt(mean(x^2) + eps) * w by row (Zhang & Sennrich, 1910.07467). In InternViT the row of q and k
 * is the full width, before the split into heads. Gradient, with r = rstd, g = dy w:
 *   dx = r (g - x r^2 mean(g x)),   dw = sum over rows of dy x r. */
#include "ops/op.h"

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
              "rms_norm: weight %s does not fit %s", ivl_tensor_text(w, a, sizeof a), ivl_tensor_text(x, b, sizeof b));
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
    return ivl_out(n, 1, ivl_stat_dtype(n->x[0]->dtype), 1, (int64_t[]){ ivl_cols(n->x[0]) });
}

static double flops(const ivl_node *n) { return 4.0 * (double)ivl_numel(n->x[0]); }
static double flops_bwd(const ivl_node *n) { return 9.0 * (double)ivl_numel(n->x[0]); }

/* --- portable: one group per row ------------------------------------------------------------------ */

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
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

/* dw is summed in two fixed steps, so it does not depend on the number of cores. */
enum { CHUNKS = 16 };

static size_t scratch_bwd(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    return n->y[1] ? sizeof(float) * CHUNKS * (size_t)ivl_cols(n->x[0]) : 0;
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "rms_norm_bwd", "rms_norm_bwd_w", "rms_norm_bwd_w_sum" };
    for (int i = 0; i < 3; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "rms_norm", entry[i], "%s -DWG_SIZE=%d -DVEC=%d",
                                ivl_t_define(n->x[0]->dtype), param[0], param[1]));
    return IVL_OK;
}

static ivl_status run_bwd_w(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]), blocks = ivl_flat_groups(cols, p->p);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_tensor(&a, n->x[2]);
    ivl_arg_tensor(&a, n->x[3]);
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, (int)rows), ivl_arg_int(&a, (int)cols), ivl_arg_int(&a, CHUNKS);
    IVL_TRY(ivl_enqueue(s, p->k[1], blocks, CHUNKS, 1, p->p[0], &a));
    ivl_args b = { 0 };
    ivl_arg_buffer(&b, scratch, off / 4);
    ivl_arg_tensor(&b, n->y[1]);
    ivl_arg_int(&b, (int)cols), ivl_arg_int(&b, CHUNKS), ivl_arg_int(&b, ivl_adds(n, 1));
    return ivl_enqueue(s, p->k[2], blocks, 1, 1, p->p[0], &b);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    if (n->y[1]) IVL_TRY(run_bwd_w(s, n, p, scratch, off));
    if (!n->y[0]) return IVL_OK;
    ivl_args a = { 0 };
    for (int i = 0; i < 4; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)ivl_cols(n->x[0])), ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "rms_norm.any.group", .op = IVL_OP_rms_norm, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "rms_norm_bwd.any.group", .op = IVL_OP_rms_norm_bwd, .fits = ivl_fits_kernels, .scratch = scratch_bwd,
      .prepare = prepare_bwd, .run = run_bwd, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_rms_norm = {
    .name = "rms_norm", .infer = infer, .grad = grad, .ref64 = ivl_ref64_rms_norm, .ref32 = ivl_ref32_rms_norm,
    .flops = flops, .impls = impls, .n_impls = 1,
};
const ivl_op_desc ivl_desc_rms_norm_bwd = {
    .name = "rms_norm_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_rms_norm_bwd, .ref32 = ivl_ref32_rms_norm_bwd,
    .flops = flops_bwd, .impls = impls_bwd, .n_impls = 1,
};
