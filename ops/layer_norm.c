/* layer_norm: y = (x - mean) rstd w + b by row, rstd = 1 / sqrt(var + eps) with the biased variance (Ba,
 * Kiros & Hinton, 1607.06450). Two passes over the row: subtracting the mean first keeps the variance exact
 * for rows far from 0. Gradient, with h = (x - mean) rstd, g = dy w:
 *
 *   dx = rstd (g - mean(g) - h mean(g h)),   dw = sum over rows of dy h,   db = sum over rows of dy. */
#include "ops/column_sum.h"

ivl_val ivl_layer_norm(ivl_graph *g, ivl_val x, ivl_val w, ivl_val b, double eps)
{
    ivl_norm_attr a = { eps };
    return ivl_record(g, IVL_OP_layer_norm, (ivl_val[]){ x, w, b }, 3, 3, &a, sizeof a, NULL);
}

/* Input i: a vector of x's type and width. */
static ivl_status check_vector(const ivl_node *n, int i, const char *what)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    IVL_TRY(ivl_need(n, i, what, -1));
    const ivl_tensor *x = n->x[0], *w = n->x[i];
    char a[96], b[96];
    IVL_CHECK(ivl_numel(w) == ivl_cols(x) && w->dtype == x->dtype && ivl_is_float(x->dtype), IVL_ESHAPE,
              "layer_norm: %s %s does not fit %s", what, ivl_tensor_text(w, a, sizeof a),
              ivl_tensor_text(x, b, sizeof b));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(check_vector(n, 1, "weight"));
    IVL_TRY(check_vector(n, 2, "bias"));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    for (int i = 1; i < 3; i++)
        IVL_TRY(ivl_out(n, i, ivl_stat_dtype(n->x[0]->dtype), 1, (int64_t[]){ ivl_rows(n->x[0]) }));
    return IVL_OK;
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], n->in[1], n->out[1], n->out[2], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_layer_norm_bwd, in, 5, n->in, 3, n->attr, sizeof(ivl_norm_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(check_vector(n, 1, "weight"));
    IVL_TRY(ivl_need(n, 2, "mean", -1));
    IVL_TRY(ivl_need(n, 3, "rstd", -1));
    IVL_TRY(ivl_need(n, 4, "dy", -1));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    for (int i = 1; i < 3; i++) IVL_TRY(ivl_out_column_sum(n, i, n->x[0]->dtype, ivl_cols(n->x[0])));
    return IVL_OK;
}

static double flops(const ivl_node *n) { return 7.0 * (double)ivl_numel(n->x[0]); }
static double flops_bwd(const ivl_node *n) { return 14.0 * (double)ivl_numel(n->x[0]); }

/* --- portable: one group per row, or per chunk of rows -------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "layer_norm", "layer_norm_fwd", "%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_args a = { 0 };
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->x[i]);
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->y[i]);
    ivl_arg_int(&a, (int)ivl_cols(n->x[0]));
    ivl_arg_float(&a, (float)((const ivl_norm_attr *)n->attr)->eps);
    ivl_arg_int(&a, n->y[1] != NULL), ivl_arg_int(&a, n->y[2] != NULL);
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

static bool sums(const ivl_node *n) { return n->y[1] || n->y[2]; }

static size_t scratch_bwd(const ivl_caps *c, const ivl_node *n)
{
    ivl_chunks chunks = ivl_row_chunks(c, ivl_rows(n->x[0]), sums(n));
    return sums(n) ? 2 * sizeof(float) * (size_t)chunks.n * (size_t)ivl_cols(n->x[0]) : 0;
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "layer_norm_bwd", "column_sum" };
    for (int i = 0; i < 2; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "layer_norm", entry[i], "%s -DWG_SIZE=%d -DVEC=%d",
                                ivl_t_define(n->x[0]->dtype), param[0], param[1]));
    return IVL_OK;
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    int64_t rows = ivl_rows(n->x[0]), cols = ivl_cols(n->x[0]), at[] = { 0, off / 4, off / 4 };
    ivl_chunks chunks = ivl_row_chunks(ivl_device_caps(s->dev), rows, sums(n));
    at[2] += chunks.n * cols;
    ivl_args a = { 0 };
    for (int i = 0; i < 5; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    for (int i = 1; i < 3; i++) ivl_arg_buffer(&a, scratch, at[i]);
    ivl_arg_int(&a, (int)rows), ivl_arg_int(&a, (int)cols), ivl_arg_int(&a, chunks.per);
    ivl_arg_int(&a, n->y[0] != NULL), ivl_arg_int(&a, sums(n)), ivl_arg_int(&a, ivl_adds(n, 0));
    IVL_TRY(ivl_enqueue(s, p->k[0], chunks.n, 1, 1, p->p[0], &a));
    for (int i = 1; i < 3; i++)
        if (n->y[i])
            IVL_TRY(ivl_column_sum(s, p, p->k[1], scratch, at[i], chunks.n, n->y[i], ivl_adds(n, i)));
    return IVL_OK;
}

static const ivl_impl impls[] = {
    { .name = "layer_norm.any.group",
      .op = IVL_OP_layer_norm,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "layer_norm_bwd.any.chunk",
      .op = IVL_OP_layer_norm_bwd,
      .fits = ivl_fits_kernels,
      .scratch = scratch_bwd,
      .prepare = prepare_bwd,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_layer_norm = {
    .name = "layer_norm",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_layer_norm,
    .ref32 = ivl_ref32_layer_norm,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_layer_norm_bwd = {
    .name = "layer_norm_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_layer_norm_bwd,
    .ref32 = ivl_ref32_layer_norm_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
