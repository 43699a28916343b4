/* residual: x + scale ls y, where ls is LayerScale (2103.17239) and scale drop path (1603.09382): 0 for a
 * dropped sample, else 1 / (1 - rate). Gradients: x takes dy as it is; d branch = dy scale ls; dls = sum of
 * dy scale y. */
#include "ops/column_sum.h"
#include "ops/flat.h"
#include "ops/graph.h"

ivl_val ivl_residual(ivl_graph *g, ivl_val x, ivl_val y, ivl_val ls, ivl_val scale)
{
    return ivl_record(g, IVL_OP_residual, (ivl_val[]){ x, y, ls, scale }, 4, 1, NULL, 0, NULL);
}

static const ivl_tensor *input(const ivl_node *n, int i) { return i < n->n_in ? n->x[i] : NULL; }

/* ls and scale, inputs 2 and 3 (absent or not), belong to x. */
static ivl_status check_factors(const ivl_node *n, const ivl_tensor *x)
{
    const ivl_tensor *ls = input(n, 2), *scale = input(n, 3);
    const char *op = ivl_op_get(n->op)->name;
    char a[96], b[96];
    ivl_tensor_text(x, a, sizeof a);
    IVL_CHECK(!ls || (ls->dtype == x->dtype && ivl_numel(ls) == ivl_cols(x) && ivl_contiguous(ls)),
              IVL_ESHAPE, "%s: LayerScale %s does not fit %s", op, ivl_tensor_text(ls ? ls : x, b, sizeof b),
              a);
    IVL_CHECK(!scale || (scale->dtype == IVL_F32 && x->rank > 1 && ivl_numel(scale) == x->dim[0] &&
                         ivl_contiguous(scale)),
              IVL_ESHAPE, "%s: drop path scale %s does not fit %s", op,
              ivl_tensor_text(scale ? scale : x, b, sizeof b), a);
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "x", NULL));
    IVL_TRY(ivl_need_like(n, 1, "y", n->x[0]));
    IVL_TRY(check_factors(n, n->x[0]));
    return ivl_out_like(n, 0, n->x[0]);
}

static bool needs_grad(const ivl_graph *g, ivl_val v)
{
    const ivl_value *p = ivl_value_of(g, v);
    return p && g->value[p->origin]->needs;
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    const ivl_val *in = n->in;
    bool plain = !input(n, 2) && !input(n, 3);
    if (plain) IVL_TRY(ivl_pass_grad(g, n->out[0], in[1]));
    else {
        ivl_val y = needs_grad(g, in[2]) ? in[1] : IVL_NONE; /* the branch is kept for dls alone */
        ivl_val bwd[] = { ivl_grad(g, n->out[0]), y, in[2], in[3] };
        IVL_TRY(ivl_record_bwd(g, IVL_OP_residual_bwd, bwd, 4, (ivl_val[]){ in[1], in[2] }, 2, NULL, 0));
    }
    return ivl_pass_grad(g, n->out[0], in[0]); /* last: it may hand the buffer on to x, who adds to it */
}

/* dy, y?, ls?, scale? -> d branch, dls */
static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need_like(n, 0, "dy", NULL));
    const ivl_tensor *dy = n->x[0];
    if (n->n_out > 1 && n->y[1]) IVL_TRY(ivl_need_like(n, 1, "y", dy));
    IVL_TRY(check_factors(n, dy));
    IVL_TRY(ivl_out_like(n, 0, dy));
    return ivl_out_column_sum(n, 1, dy->dtype, ivl_cols(dy));
}

static double flops(const ivl_node *n) { return 3.0 * (double)ivl_numel(n->x[0]); }

/* --- portable -------------------------------------------------------------------------------------- */

/* Rows that share one scale. */
static int64_t batch_rows(const ivl_tensor *x)
{
    int64_t n = x->rank > 1 ? ivl_rows(x) / (x->dim[0] ? x->dim[0] : 1) : 1;
    return n > 0 ? n : 1;
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "residual_bwd", "residual_bwd_ls", "column_sum" };
    const char *t = ivl_t_define(n->x[0]->dtype);
    if (n->op == IVL_OP_residual)
        return ivl_prep_kernel(d, p_p, 0, param, "residual", "residual_fwd", "%s -DWG_SIZE=%d -DVEC=%d", t,
                               param[0], param[1]);
    for (int i = 0; i < 3; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "residual", entry[i], "%s -DWG_SIZE=%d -DVEC=%d", t,
                                param[0], param[1]));
    return IVL_OK;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *t[] = { n->x[0], n->x[1], n->y[0] }, *ls = input(n, 2), *scale = input(n, 3);
    ivl_span span = ivl_span_of(t, 3, ls || scale, p->p);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, t[0]), ivl_arg_tensor(&a, t[1]);
    ivl_arg_tensor(&a, ls), ivl_arg_tensor(&a, scale);
    ivl_arg_tensor(&a, t[2]);
    ivl_arg_span(&a, &span);
    ivl_arg_long(&a, batch_rows(t[0])), ivl_arg_int(&a, ls != NULL), ivl_arg_int(&a, scale != NULL);
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static ivl_status run_branch(ivl_stream *s, const ivl_node *n, const ivl_prep *p)
{
    const ivl_tensor *t[] = { n->x[0], n->y[0] }, *ls = input(n, 2), *scale = input(n, 3);
    ivl_span span = ivl_span_of(t, 2, ls || scale, p->p);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, t[0]);
    ivl_arg_tensor(&a, ls), ivl_arg_tensor(&a, scale);
    ivl_arg_tensor(&a, t[1]);
    ivl_arg_span(&a, &span);
    ivl_arg_long(&a, batch_rows(t[0])), ivl_arg_int(&a, ls != NULL), ivl_arg_int(&a, scale != NULL);
    ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static size_t scratch_bwd(const ivl_caps *c, const ivl_node *n)
{
    if (!n->y[1]) return 0;
    return sizeof(float) * (size_t)ivl_row_chunks(c, ivl_rows(n->x[0]), true).n * (size_t)ivl_cols(n->x[0]);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    const ivl_tensor *dy = n->x[0], *scale = input(n, 3);
    if (n->y[0]) IVL_TRY(run_branch(s, n, p));
    if (!n->y[1]) return IVL_OK;
    ivl_chunks chunks = ivl_row_chunks(ivl_device_caps(s->dev), ivl_rows(dy), true);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, dy), ivl_arg_tensor(&a, n->x[1]), ivl_arg_tensor(&a, scale);
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, (int)ivl_rows(dy)), ivl_arg_int(&a, (int)ivl_cols(dy)), ivl_arg_int(&a, chunks.per);
    ivl_arg_long(&a, batch_rows(dy)), ivl_arg_int(&a, scale != NULL);
    IVL_TRY(ivl_enqueue(s, p->k[1], chunks.n, 1, 1, p->p[0], &a));
    return ivl_column_sum(s, p, p->k[2], scratch, off / 4, chunks.n, n->y[1], ivl_adds(n, 1));
}

static const ivl_impl impls[] = {
    { .name = "residual.any.flat",
      .op = IVL_OP_residual,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "residual_bwd.any.flat",
      .op = IVL_OP_residual_bwd,
      .fits = ivl_fits_kernels,
      .scratch = scratch_bwd,
      .prepare = prepare,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_residual = {
    .name = "residual",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_residual,
    .ref32 = ivl_ref32_residual,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_residual_bwd = {
    .name = "residual_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_residual_bwd,
    .ref32 = ivl_ref32_residual_bwd,
    .flops = flops,
    .impls = impls_bwd,
    .n_impls = 1,
};
