/* contrastive: the symmetric cross-entropy of image-text pairs (CLIP; InternVL stage 1), in blocks. With z = exp(s) x y^T
 * and smoothing e over n columns, a row costs lse(z) - (1-e) z_target - e/n sum(z), and its gradient is
 * dz = (softmax(z) - (1-e) [target] - e/n) / (2 rows that count). If no row counts the loss is 0. */
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

static double flops(const ivl_node *n)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    return 2.0 * d.rows * d.width * ((double)d.n_text + d.n_image);
}

static double flops_bwd(const ivl_node *n) { return 3 * flops(n); }

const ivl_op_desc ivl_desc_contrastive = {
    .name = "contrastive", .infer = infer, .grad = grad, .ref64 = ivl_ref64_contrastive,
    .ref32 = ivl_ref32_contrastive, .flops = flops,
};
const ivl_op_desc ivl_desc_contrastive_bwd = {
    .name = "contrastive_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_contrastive_bwd,
    .ref32 = ivl_ref32_contrastive_bwd, .flops = flops_bwd,
};
