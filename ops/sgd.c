/* sgd: one step of gradient descent with momentum and weight decay over a flat range, in place. The rates and the
 * gradient norm are read on the device, so that one plan serves every step; a norm that is not finite leaves everything
 * as it is. */
#include "ops/op.h"

enum { P, GRAD, M, HYPER, SQ_NORM, INPUTS };

void ivl_sgd(ivl_graph *g, ivl_val p, ivl_val grad, ivl_val m, ivl_val hyper, ivl_val sq_norm, ivl_sgd_attr a)
{
    ivl_record(g, IVL_OP_sgd, (ivl_val[]){ p, grad, m, hyper, sq_norm }, INPUTS, 0, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    static const char *const name[] = { "the parameters", "the gradient", "m" };
    char a[96], b[96];
    for (int i = P; i <= M; i++) {
        IVL_TRY(ivl_need(n, i, name[i], -1));
        const ivl_tensor *p = n->x[P], *t = n->x[i];
        IVL_CHECK(ivl_numel(t) == ivl_numel(p) && t->dtype == p->dtype && ivl_contiguous(t) &&
                      (t->dtype == IVL_F32 || t->dtype == IVL_F64),
                  IVL_ESHAPE, "sgd: %s are %s, and %s %s: they must agree, be f32 and contiguous", name[P],
                  ivl_tensor_text(p, a, sizeof a), name[i], ivl_tensor_text(t, b, sizeof b));
    }
    IVL_TRY(ivl_need(n, HYPER, "hyper", -1));
    IVL_CHECK(n->x[HYPER]->dtype == IVL_F32 && ivl_numel(n->x[HYPER]) == 2, IVL_ESHAPE,
              "sgd: hyper is %s, not f32[2]", ivl_tensor_text(n->x[HYPER], a, sizeof a));
    const ivl_tensor *norm = n->x[SQ_NORM];
    IVL_CHECK(!norm || (norm->dtype == n->x[P]->dtype && ivl_numel(norm) == 1), IVL_ESHAPE,
              "sgd: sq_norm is %s, not one %s", norm ? ivl_tensor_text(norm, a, sizeof a) : "",
              ivl_dtype_name(n->x[P]->dtype));
    return IVL_OK;
}

static double flops(const ivl_node *n) { return 6.0 * (double)ivl_numel(n->x[P]); }

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    (void)n;
    return ivl_prep_kernel(d, p_p, 0, param, "sgd", "sgd", "-DT_F32 -DWG_SIZE=%d -DVEC=%d", param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_sgd_attr *at = n->attr;
    int64_t count = ivl_numel(n->x[P]);
    ivl_args a = { 0 };
    for (int i = P; i < INPUTS; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_long(&a, count);
    ivl_arg_float(&a, (float)at->momentum), ivl_arg_float(&a, (float)at->clip);
    ivl_arg_int(&a, n->x[SQ_NORM] != NULL);
    return ivl_enqueue(s, p->k[0], ivl_flat_groups(count, p->p), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "sgd.any.flat",
      .op = IVL_OP_sgd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_sgd = {
    .name = "sgd",
    .infer = infer,
    .ref64 = ivl_ref64_sgd,
    .ref32 = ivl_ref32_sgd,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
    .mutates = 1 << P | 1 << M,
};
