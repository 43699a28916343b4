/* clamp: x = min(max(x, lo), hi), in place: the logit scale after a step. NaN stays NaN, so that it is
 * noticed. */
#include "ops/op.h"

void ivl_clamp(ivl_graph *g, ivl_val x, double lo, double hi)
{
    ivl_clamp_attr a = { lo, hi };
    ivl_record(g, IVL_OP_clamp, &x, 1, 0, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    const ivl_clamp_attr *a = n->attr;
    char text[96];
    IVL_CHECK(ivl_is_float(n->x[0]->dtype) && ivl_contiguous(n->x[0]), IVL_EINVAL,
              "clamp: %s must be contiguous and of a float type",
              ivl_tensor_text(n->x[0], text, sizeof text));
    IVL_CHECK(a->lo <= a->hi, IVL_EINVAL, "clamp: no number lies between %g and %g", a->lo, a->hi);
    return IVL_OK;
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "clamp", "clamp_flat", "%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_clamp_attr *at = n->attr;
    int64_t count = ivl_numel(n->x[0]);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_long(&a, count);
    ivl_arg_float(&a, (float)at->lo), ivl_arg_float(&a, (float)at->hi);
    return ivl_enqueue(s, p->k[0], ivl_flat_groups(count, p->p), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "clamp.any.flat",
      .op = IVL_OP_clamp,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_clamp = {
    .name = "clamp",
    .infer = infer,
    .ref64 = ivl_ref64_clamp,
    .ref32 = ivl_ref32_clamp,
    .impls = impls,
    .n_impls = 1,
    .mutates = 1,
};
