/* linears: y_i = h w_i^T + b_i for up to three weights, or y = silu(h w_0^T) (h w_1^T) if gated, where h is x or
 * rms_norm(x) gain. What a decoder does around attention, when a token at a time is written: each launch is short then,
 * and starting it costs more than its work. Made by ops/fuse.c of rms_norm, linear and silu_mul, of few rows, with the
 * values that these would have. */
#include "ops/linears.h"

static ivl_status check_weight(const ivl_node *n, int i)
{
    const ivl_tensor *x = n->x[0], *w = ivl_linears_weight(n, i), *b = ivl_linears_bias(n, i);
    char s[96], t[96];
    IVL_TRY(ivl_need(n, 2 + 2 * i, "w", 2));
    IVL_CHECK(ivl_cols(w) == ivl_cols(x) && ivl_is_weight(w, x->dtype) && w->dtype == ivl_linears_weight(n, 0)->dtype,
              IVL_ESHAPE, "linears: weight %s does not fit %s", ivl_tensor_text(w, s, sizeof s),
              ivl_tensor_text(x, t, sizeof t));
    IVL_CHECK(!b || (ivl_numel(b) == w->dim[0] && b->dtype == x->dtype), IVL_ESHAPE,
              "linears: bias %s does not fit weight %s", ivl_tensor_text(b, s, sizeof s),
              ivl_tensor_text(w, t, sizeof t));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_linears_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x", -1));
    const ivl_tensor *x = n->x[0], *gain = n->x[1];
    IVL_CHECK(x->rank > 0 && ivl_is_float(x->dtype) && a->n >= 1 && a->n <= IVL_LINEARS && n->n_in == 2 + 2 * a->n,
              IVL_EINVAL, "linears: %d weights of %d inputs", a->n, n->n_in);
    IVL_CHECK(a->norm ? gain && ivl_numel(gain) == ivl_cols(x) && gain->dtype == x->dtype : !gain, IVL_ESHAPE,
              "linears: the norm's gain does not fit");
    for (int i = 0; i < a->n; i++) IVL_TRY(check_weight(n, i));
    IVL_CHECK(!a->gated || (a->n == 2 && !ivl_linears_bias(n, 0) && !ivl_linears_bias(n, 1) &&
                            ivl_linears_weight(n, 0)->dim[0] == ivl_linears_weight(n, 1)->dim[0]),
              IVL_EINVAL, "linears: a gate takes two weights of one shape without biases");
    for (int i = 0; i < (a->gated ? 1 : a->n); i++) {
        int64_t dim[IVL_MAX_RANK];
        for (int j = 0; j < x->rank; j++) dim[j] = x->dim[j];
        dim[x->rank - 1] = ivl_linears_weight(n, i)->dim[0];
        IVL_TRY(ivl_out(n, i, x->dtype, x->rank, dim));
    }
    return IVL_OK;
}

static double flops(const ivl_node *n)
{
    double all = 0;
    for (int i = 0; i < ((const ivl_linears_attr *)n->attr)->n; i++)
        all += 2.0 * (double)ivl_rows(n->x[0]) * (double)ivl_numel(ivl_linears_weight(n, i));
    return all;
}

/* --- portable: a group per row of x and row of the weights, which are thought of as one below the other ----------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "linears", "linears", "%s %s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[0]->dtype), ivl_w_define(ivl_linears_weight(n, 0)->dtype), param[0],
                           param[1]);
}

void ivl_linears_args(ivl_args *a, const ivl_node *n, ivl_buffer scratch, int64_t off)
{
    const ivl_linears_attr *t = n->attr;
    ivl_arg_tensor(a, n->x[0]), ivl_arg_tensor(a, n->x[1]);
    for (int i = 0; i < IVL_LINEARS; i++) {
        bool there = i < t->n;
        ivl_arg_tensor(a, there ? ivl_linears_weight(n, i) : NULL);
        ivl_arg_tensor(a, there ? ivl_linears_bias(n, i) : NULL);
        ivl_arg_tensor(a, there && !(t->gated && i) ? n->y[i] : NULL);
    }
    ivl_arg_buffer(a, scratch, off);
    for (int i = 0; i < IVL_LINEARS; i++) ivl_arg_int(a, i < t->n ? (int)ivl_linears_weight(n, i)->dim[0] : 0);
    for (int i = 0; i < IVL_LINEARS; i++) ivl_arg_int(a, i < t->n && ivl_linears_bias(n, i) != NULL);
    ivl_arg_int(a, (int)ivl_cols(n->x[0])), ivl_arg_int(a, t->norm), ivl_arg_float(a, (float)t->eps);
    ivl_arg_int(a, t->gated);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    const ivl_linears_attr *t = n->attr;
    ivl_args a = { 0 };
    int64_t rows = 0;
    for (int i = 0; i < (t->gated ? 1 : t->n); i++) rows += ivl_linears_weight(n, i)->dim[0];
    ivl_linears_args(&a, n, scratch, off);
    return ivl_enqueue(s, p->k[0], rows, ivl_rows(n->x[0]), 1, p->p[0], &a);
}

const ivl_impl ivl_linears_impls[1] = {
    { .name = "linears.any.group", .op = IVL_OP_linears, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_linears = {
    .name = "linears", .infer = infer, .ref64 = ivl_ref64_linears, .ref32 = ivl_ref32_linears, .flops = flops,
    .impls = ivl_linears_impls, .n_impls = 1,
};
