/* softmax_ce: mean cross-entropy of rows of logits, z = exp(s) x, against a class each (labels) or a distribution each
 * (target). A row costs sum_v t_v (lse - z_v); its gradient is dz = (softmax(z) sum(t) - t) / rows that count. */
#include "ops/op.h"

ivl_val ivl_softmax_ce(ivl_graph *g, ivl_val logits, ivl_val labels, ivl_val target, ivl_val logit_scale, ivl_val *hits)
{
    ivl_val out[IVL_MAX_OUT], in[] = { logits, labels, target, logit_scale };
    ivl_val loss = ivl_record(g, IVL_OP_softmax_ce, in, 4, 3, NULL, 0, out);
    if (hits) *hits = out[2];
    return loss;
}

static ivl_status check(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "logits", -1));
    const ivl_tensor *x = n->x[0], *labels = n->x[1], *target = n->x[2], *scale = n->x[3];
    char s[96], t[96];
    ivl_tensor_text(x, s, sizeof s);
    IVL_CHECK(ivl_is_float(x->dtype) && x->rank > 0 && ivl_cols(x) > 0, IVL_ESHAPE, "softmax_ce: logits are %s", s);
    IVL_CHECK(!labels != !target, IVL_EINVAL, "softmax_ce: labels or a target are needed, and not both");
    IVL_CHECK(!labels || (labels->dtype == IVL_I32 && ivl_contiguous(labels) && ivl_numel(labels) == ivl_rows(x)),
              IVL_ESHAPE, "softmax_ce: labels %s do not fit %s", ivl_tensor_text(labels, t, sizeof t), s);
    IVL_CHECK(!target || (target->dtype == ivl_stat_dtype(x->dtype) && ivl_rows(target) == ivl_rows(x) &&
                          ivl_cols(target) == ivl_cols(x)),
              IVL_ESHAPE, "softmax_ce: the target %s does not fit %s", ivl_tensor_text(target, t, sizeof t), s);
    IVL_CHECK(!scale || (ivl_numel(scale) == 1 && scale->dtype == ivl_stat_dtype(x->dtype)), IVL_ESHAPE,
              "softmax_ce: logit_scale is %s", ivl_tensor_text(scale, t, sizeof t));
    IVL_CHECK(ivl_rows(x) < INT32_MAX / 2 && ivl_cols(x) < INT32_MAX / 2, IVL_EUNSUPPORTED, "softmax_ce: %s", s);
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(check(n));
    ivl_dtype s = ivl_stat_dtype(n->x[0]->dtype);
    int64_t rows = ivl_rows(n->x[0]);
    IVL_TRY(ivl_out(n, 0, s, 0, NULL));
    IVL_TRY(ivl_out(n, 1, s, 1, &rows));
    return ivl_out(n, 2, s, 0, NULL);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], n->in[1], n->in[2], n->in[3], n->out[1], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_softmax_ce_bwd, in, 6, (ivl_val[]){ n->in[0], n->in[3] }, 2, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(check(n));
    IVL_TRY(ivl_need(n, 4, "lse", -1));
    IVL_TRY(ivl_need(n, 5, "gradient of the loss", -1));
    IVL_TRY(ivl_out_like(n, 0, n->x[0]));
    return n->x[3] ? ivl_out_like(n, 1, n->x[3]) : IVL_OK;
}

/* --- portable: one group per row; on CPUs, which have groups of one, per chunk of rows -------------- */

enum { MOST_GROUPS = 512 };

static int rows_per_group(const ivl_prep *p, int rows)
{
    return p->p[0] > 1 || rows <= MOST_GROUPS ? 1 : (rows + MOST_GROUPS - 1) / MOST_GROUPS;
}


static size_t scratch_bytes(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    return sizeof(float) * 2 * (size_t)(ivl_rows(n->x[0]) + 1);
}

static ivl_status build(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p, const char *row,
                        const char *sum, const char *before)
{
    const char *entry[] = { row, sum, before };
    for (int i = 0; i < (before ? 3 : 2); i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "softmax_ce", entry[i], "%s -DWG_SIZE=%d -DVEC=%d%s%s",
                                ivl_t_define(n->x[0]->dtype), param[0], param[1], n->x[1] ? " -DHAS_LABELS" : "",
                                n->x[3] ? " -DHAS_SCALE" : ""));
    return IVL_OK;
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return build(d, n, param, p_p, "softmax_ce_row", "softmax_ce_sum", NULL);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    int rows = (int)ivl_rows(n->x[0]), per = rows_per_group(p, rows);
    ivl_args a = { 0 }, b = { 0 };
    for (int i = 0; i < 4; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[1]), ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, rows), ivl_arg_int(&a, (int)ivl_cols(n->x[0])), ivl_arg_int(&a, per);
    IVL_TRY(ivl_enqueue(s, p->k[0], (rows + per - 1) / per, 1, 1, p->p[0], &a));
    ivl_arg_tensor(&b, n->x[1]), ivl_arg_buffer(&b, scratch, off / 4);
    ivl_arg_tensor(&b, n->y[0]), ivl_arg_tensor(&b, n->y[2]), ivl_arg_int(&b, rows);
    return ivl_enqueue(s, p->k[1], 1, 1, 1, p->p[0], &b);
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return build(d, n, param, p_p, "softmax_ce_bwd", "softmax_ce_bwd_scale", "softmax_ce_weight");
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    int rows = (int)ivl_rows(n->x[0]), per = rows_per_group(p, rows);
    ivl_args a = { 0 }, b = { 0 }, w = { 0 };
    ivl_arg_tensor(&w, n->x[1]), ivl_arg_tensor(&w, n->x[5]), ivl_arg_buffer(&w, scratch, off / 4);
    ivl_arg_int(&w, rows);
    IVL_TRY(ivl_enqueue(s, p->k[2], 1, 1, 1, p->p[0], &w));
    for (int i = 0; i < 5; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]), ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, rows), ivl_arg_int(&a, (int)ivl_cols(n->x[0])), ivl_arg_int(&a, per);
    ivl_arg_int(&a, n->y[0] != NULL), ivl_arg_int(&a, n->y[1] != NULL), ivl_arg_int(&a, ivl_adds(n, 0));
    IVL_TRY(ivl_enqueue(s, p->k[0], (rows + per - 1) / per, 1, 1, p->p[0], &a));
    if (!n->y[1]) return IVL_OK;
    ivl_arg_buffer(&b, scratch, off / 4), ivl_arg_tensor(&b, n->y[1]);
    ivl_arg_int(&b, rows), ivl_arg_int(&b, ivl_adds(n, 1));
    return ivl_enqueue(s, p->k[1], 1, 1, 1, p->p[0], &b);
}

static const ivl_impl impls[] = {
    { .name = "softmax_ce.any.group", .op = IVL_OP_softmax_ce, .fits = ivl_fits_kernels, .scratch = scratch_bytes,
      .prepare = prepare, .run = run, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "softmax_ce_bwd.any.group", .op = IVL_OP_softmax_ce_bwd, .fits = ivl_fits_kernels,
      .scratch = scratch_bytes, .prepare = prepare_bwd, .run = run_bwd, .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

static double flops(const ivl_node *n) { return 6.0 * (double)ivl_numel(n->x[0]); }

const ivl_op_desc ivl_desc_softmax_ce = {
    .name = "softmax_ce", .infer = infer, .grad = grad, .ref64 = ivl_ref64_softmax_ce, .ref32 = ivl_ref32_softmax_ce,
    .flops = flops, .impls = impls, .n_impls = 1,
};
const ivl_op_desc ivl_desc_softmax_ce_bwd = {
    .name = "softmax_ce_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_softmax_ce_bwd,
    .ref32 = ivl_ref32_softmax_ce_bwd, .flops = flops, .impls = impls_bwd, .n_impls = 1,
};
