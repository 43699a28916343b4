/* adamw: one step of AdamW (Loshchilov & Hutter, 1711.05101) over a flat range, in place. What changes from
 * step to step (rates, bias corrections, gradient norm) is read on the device, so that one plan serves every
 * step and nothing waits for the host; a norm that is not finite leaves everything as it is. */
#include "ops/op.h"

enum { P, GRAD, M, V, HYPER, SQ_NORM, INPUTS };

void ivl_adamw(ivl_graph *g, ivl_val p, ivl_val grad, ivl_val m, ivl_val v, ivl_val hyper, ivl_val sq_norm,
               ivl_adamw_attr a)
{
    ivl_record(g, IVL_OP_adamw, (ivl_val[]){ p, grad, m, v, hyper, sq_norm }, INPUTS, 0, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    static const char *const name[] = { "the parameters", "the gradient", "m", "v" };
    char a[96], b[96];
    for (int i = P; i <= V; i++) {
        IVL_TRY(ivl_need(n, i, name[i], -1));
        const ivl_tensor *p = n->x[P], *t = n->x[i];
        IVL_CHECK(ivl_numel(t) == ivl_numel(p) && t->dtype == p->dtype && ivl_contiguous(t) &&
                      (t->dtype == IVL_F32 || t->dtype == IVL_F64),
                  IVL_ESHAPE, "adamw: %s are %s, and %s %s: they must agree, be f32 and contiguous", name[P],
                  ivl_tensor_text(p, a, sizeof a), name[i], ivl_tensor_text(t, b, sizeof b));
    }
    IVL_TRY(ivl_need(n, HYPER, "hyper", -1));
    IVL_CHECK(n->x[HYPER]->dtype == IVL_F32 && ivl_numel(n->x[HYPER]) == 4, IVL_ESHAPE,
              "adamw: hyper is %s, not f32[4]", ivl_tensor_text(n->x[HYPER], a, sizeof a));
    const ivl_tensor *norm = n->x[SQ_NORM];
    IVL_CHECK(!norm || (norm->dtype == n->x[P]->dtype && ivl_numel(norm) == 1), IVL_ESHAPE,
              "adamw: sq_norm is %s, not one %s", norm ? ivl_tensor_text(norm, a, sizeof a) : "",
              ivl_dtype_name(n->x[P]->dtype));
    return IVL_OK;
}

static double flops(const ivl_node *n) { return 16.0 * (double)ivl_numel(n->x[P]); }

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    (void)n;
    return ivl_prep_kernel(d, p_p, 0, param, "adamw", "adamw", "-DT_F32 -DWG_SIZE=%d -DVEC=%d", param[0],
                           param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_adamw_attr *at = n->attr;
    int64_t count = ivl_numel(n->x[P]);
    ivl_args a = { 0 };
    for (int i = P; i < INPUTS; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_long(&a, count);
    ivl_arg_float(&a, (float)at->beta1), ivl_arg_float(&a, (float)at->beta2);
    ivl_arg_float(&a, (float)(1 - at->beta1)), ivl_arg_float(&a, (float)(1 - at->beta2));
    ivl_arg_float(&a, (float)at->eps), ivl_arg_float(&a, (float)at->clip);
    ivl_arg_int(&a, n->x[SQ_NORM] != NULL);
    return ivl_enqueue(s, p->k[0], ivl_flat_groups(count, p->p), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "adamw.any.flat",
      .op = IVL_OP_adamw,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_adamw = {
    .name = "adamw",
    .infer = infer,
    .ref64 = ivl_ref64_adamw,
    .ref32 = ivl_ref32_adamw,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
    .mutates = 1 << P | 1 << M | 1 << V,
};
