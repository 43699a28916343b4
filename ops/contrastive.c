/* contrastive: the symmetric cross-entropy of image-text pairs (CLIP; InternVL stage 1), in blocks. With z =
 * exp(s) x y^T and smoothing e over n columns, a row costs lse(z) - (1-e) z_target - e/n sum(z), and its
 * gradient is dz = (softmax(z) - (1-e) [target] - e/n) / (2 rows that count). If no row counts the loss is 0.
 */
#include "ops/contrastive.h"

ivl_val ivl_contrastive(ivl_graph *g, ivl_val image, ivl_val text, ivl_val all_image, ivl_val all_text,
                        ivl_val logit_scale, ivl_val ignore, ivl_contrastive_attr a)
{
    ivl_val in[] = { image, text, all_image, all_text, logit_scale, ignore };
    return ivl_record(g, IVL_OP_contrastive, in, 6, 3, &a, sizeof a, NULL);
}

ivl_contrastive_dims ivl_contrastive_dims_of(const ivl_node *n)
{
    const ivl_contrastive_attr *a = n->attr;
    ivl_contrastive_dims d = {
        .image = n->x[0], .text = n->x[1], .all_image = n->x[2] ? n->x[2] : n->x[0],
        .all_text = n->x[3] ? n->x[3] : n->x[1], .logit_scale = n->x[4], .ignore = n->x[5],
        .row0 = (int)a->row0, .smoothing = a->smoothing,
    };
    d.rows = (int)ivl_rows(d.image), d.width = (int)ivl_cols(d.image);
    d.n_image = (int)ivl_rows(d.all_image), d.n_text = (int)ivl_rows(d.all_text);
    return d;
}

static ivl_status check(const ivl_node *n)
{
    static const char *const name[] = { "image", "text", "all_image", "all_text", "logit_scale" };
    for (int i = 0; i < 5; i++)
        if (i < 2 || i == 4) IVL_TRY(ivl_need(n, i, name[i], -1));
    const ivl_contrastive_attr *a = n->attr;
    const ivl_tensor *x = n->x[0], *scale = n->x[4], *ignore = n->x[5];
    char s[96], t[96];
    IVL_CHECK(x->rank >= 1 && ivl_is_float(x->dtype), IVL_ESHAPE, "contrastive: images are %s",
              ivl_tensor_text(x, s, sizeof s));
    for (int i = 1; i < 4; i++) {
        const ivl_tensor *y = n->x[i] ? n->x[i] : x;
        IVL_CHECK(y->dtype == x->dtype && ivl_cols(y) == ivl_cols(x) &&
                      (i == 1 ? ivl_rows(y) == ivl_rows(x) : a->row0 >= 0 && a->row0 + ivl_rows(x) <= ivl_rows(y)),
                  IVL_ESHAPE, "contrastive: %s %s does not fit rows %lld.. of %s", name[i],
                  ivl_tensor_text(y, s, sizeof s), (long long)a->row0, ivl_tensor_text(x, t, sizeof t));
    }
    IVL_CHECK(ivl_numel(scale) == 1 && scale->dtype == ivl_stat_dtype(x->dtype), IVL_ESHAPE,
              "contrastive: logit_scale is %s, not one %s", ivl_tensor_text(scale, s, sizeof s),
              ivl_dtype_name(ivl_stat_dtype(x->dtype)));
    IVL_CHECK(!ignore || (ignore->dtype == IVL_I32 && ivl_numel(ignore) == ivl_rows(x)), IVL_ESHAPE,
              "contrastive: ignore is %s, not i32[%lld]", ivl_tensor_text(ignore, s, sizeof s), (long long)ivl_rows(x));
    IVL_CHECK(a->smoothing >= 0 && a->smoothing < 1, IVL_EINVAL, "contrastive: label smoothing %g", a->smoothing);
    IVL_CHECK(ivl_rows(x) < INT32_MAX / 2, IVL_EUNSUPPORTED, "contrastive: %lld rows", (long long)ivl_rows(x));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(check(n));
    ivl_dtype s = ivl_stat_dtype(n->x[0]->dtype);
    int64_t rows = ivl_rows(n->x[0]);
    IVL_TRY(ivl_out(n, 0, s, 0, NULL));
    IVL_TRY(ivl_out(n, 1, s, 1, &rows));
    return ivl_out(n, 2, s, 1, &rows);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[9];
    for (int i = 0; i < 6; i++) in[i] = n->in[i];
    in[6] = n->out[1], in[7] = n->out[2], in[8] = ivl_grad(g, n->out[0]);
    return ivl_record_bwd(g, IVL_OP_contrastive_bwd, in, 9, n->in, 5, n->attr, sizeof(ivl_contrastive_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(check(n));
    IVL_TRY(ivl_need(n, 6, "lse of images", -1));
    IVL_TRY(ivl_need(n, 7, "lse of texts", -1));
    IVL_TRY(ivl_need(n, 8, "gradient of the loss", -1));
    for (int i = 0; i < 5; i++) {
        IVL_CHECK(!n->y[i] || n->x[i], IVL_EINVAL, "contrastive_bwd: gradient of input %d, which is absent", i);
        if (n->x[i]) IVL_TRY(ivl_out_like(n, i, n->x[i]));
    }
    return IVL_OK;
}

/* --- portable: one group per row ------------------------------------------------------------------ */

static size_t scratch_bytes(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    return sizeof(float) * 2 * (size_t)ivl_rows(n->x[0]);
}

static ivl_status build(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p, const char *const *entry)
{
    for (int i = 0; i < 2; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "contrastive", entry[i], "%s -DWG_SIZE=%d -DVEC=%d%s",
                                ivl_t_define(n->x[0]->dtype), param[0], param[1], n->x[5] ? " -DHAS_IGNORE" : ""));
    return IVL_OK;
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "contrastive_row", "contrastive_sum" };
    return build(d, n, param, p_p, entry);
}

static ivl_status run_direction(ivl_stream *s, const ivl_node *n, const ivl_prep *p, int side, ivl_buffer scratch,
                                int64_t off)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, side ? d.text : d.image), ivl_arg_tensor(&a, side ? d.all_image : d.all_text);
    ivl_arg_tensor(&a, d.logit_scale), ivl_arg_tensor(&a, d.ignore), ivl_arg_tensor(&a, n->y[1 + side]);
    ivl_arg_buffer(&a, scratch, off / 4 + (side ? d.rows : 0));
    ivl_arg_int(&a, side ? d.n_image : d.n_text), ivl_arg_int(&a, d.width), ivl_arg_int(&a, d.row0);
    ivl_arg_float(&a, (float)d.smoothing);
    return ivl_enqueue(s, p->k[0], d.rows, 1, 1, p->p[0], &a);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    for (int side = 0; side < 2; side++) IVL_TRY(run_direction(s, n, p, side, scratch, off));
    ivl_args a = { 0 };
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_tensor(&a, n->x[5]), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)ivl_rows(n->x[0]));
    return ivl_enqueue(s, p->k[1], 1, 1, 1, p->p[0], &a);
}

/* The gradient of one output: rows of A against rows of B. A logit a_i b_j appears in A's own softmax (row) if A are
 * local rows, and in B's (col) if B are. */
typedef struct pass { int output; const ivl_tensor *a, *b, *lse_a, *lse_b; bool row, col, scale; } pass;

static int passes(const ivl_node *n, pass *p)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    const ivl_tensor *li = n->x[6], *lt = n->x[7];
    bool apart_image = n->x[2], apart_text = n->x[3]; /* columns that are no local rows */
    p[0] = (pass){ 0, d.image, d.all_text, li, lt, true, !apart_image && !apart_text, true };
    p[1] = (pass){ 1, d.text, d.all_image, lt, li, true, !apart_image && !apart_text, apart_image || apart_text };
    p[2] = (pass){ apart_image ? 2 : 0, d.all_image, d.text, li, lt, false, true, false };
    p[3] = (pass){ apart_text ? 3 : 1, d.all_text, d.image, lt, li, false, true, false };
    return apart_image || apart_text ? 4 : 2;
}

static size_t scratch_bwd(const ivl_caps *c, const ivl_node *n)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    int64_t most = d.n_image > d.n_text ? d.n_image : d.n_text;
    return scratch_bytes(c, n) + sizeof(float) * (size_t)most * (size_t)d.width;
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "contrastive_bwd", "contrastive_bwd_scale" };
    return build(d, n, param, p_p, entry);
}

static ivl_status run_pass(ivl_stream *s, const ivl_node *n, const ivl_prep *p, const pass *q, int add,
                           ivl_buffer scratch, int64_t off)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, q->a), ivl_arg_tensor(&a, q->b), ivl_arg_tensor(&a, d.logit_scale), ivl_arg_tensor(&a, d.ignore);
    ivl_arg_tensor(&a, q->lse_a), ivl_arg_tensor(&a, q->lse_b), ivl_arg_tensor(&a, n->x[8]);
    ivl_arg_tensor(&a, n->y[q->output]);
    ivl_arg_buffer(&a, scratch, off / 4 + 2 * d.rows);
    ivl_arg_buffer(&a, scratch, off / 4 + (q->output == 1 ? d.rows : 0));
    ivl_arg_int(&a, (int)ivl_rows(q->b)), ivl_arg_int(&a, d.width), ivl_arg_int(&a, d.row0), ivl_arg_int(&a, d.rows);
    ivl_arg_int(&a, q->row), ivl_arg_int(&a, q->col);
    ivl_arg_float(&a, (float)d.smoothing);
    ivl_arg_int(&a, n->y[q->output] != NULL), ivl_arg_int(&a, q->scale), ivl_arg_int(&a, add);
    return ivl_enqueue(s, p->k[0], ivl_rows(q->a), 1, 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    pass q[4];
    bool written[5] = { false };
    int rows = (int)ivl_rows(n->x[0]), m = passes(n, q), sums = m == 4 ? 2 * rows : rows;
    for (int i = 0; i < m; i++) {
        if (!n->y[q[i].output] && !(q[i].scale && n->y[4])) continue;
        IVL_TRY(run_pass(s, n, p, &q[i], ivl_adds(n, q[i].output) || written[q[i].output], scratch, off));
        written[q[i].output] = true;
    }
    if (!n->y[4]) return IVL_OK;
    ivl_args a = { 0 };
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_tensor(&a, n->y[4]), ivl_arg_int(&a, sums), ivl_arg_int(&a, ivl_adds(n, 4));
    return ivl_enqueue(s, p->k[1], 1, 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "contrastive.any.group", .op = IVL_OP_contrastive, .fits = ivl_fits_kernels, .scratch = scratch_bytes,
      .prepare = prepare, .run = run, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "contrastive_bwd.any.group",
      .op = IVL_OP_contrastive_bwd,
      .fits = ivl_fits_kernels,
      .scratch = scratch_bwd,
      .prepare = prepare_bwd,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

static double flops(const ivl_node *n)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    return 2.0 * d.rows * d.width * ((double)d.n_text + d.n_image);
}

static double flops_bwd(const ivl_node *n) { return 3 * flops(n); }

const ivl_op_desc ivl_desc_contrastive = {
    .name = "contrastive", .infer = infer, .grad = grad, .ref64 = ivl_ref64_contrastive,
    .ref32 = ivl_ref32_contrastive, .flops = flops,
    .impls = impls, .n_impls = 1,
};
const ivl_op_desc ivl_desc_contrastive_bwd = {
    .name = "contrastive_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_contrastive_bwd,
    .ref32 = ivl_ref32_contrastive_bwd, .flops = flops_bwd,
    .impls = impls_bwd, .n_impls = 1,
};
