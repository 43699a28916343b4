/* vit_tokens: class token first, then patch embeddings; every row gets its position embedding, patches by keep list.
 * Gradients of positions are gathered: for each position a list of the rows that used it, in a fixed order. */
#include "ops/op.h"

ivl_val ivl_vit_tokens(ivl_graph *g, ivl_val x, ivl_val cls, ivl_val pos, ivl_val keep)
{
    return ivl_record(g, IVL_OP_vit_tokens, (ivl_val[]){ x, cls, pos, keep }, 4, 1, NULL, 0, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x[B,K,C]", 3));
    IVL_TRY(ivl_need(n, 1, "class token", -1));
    IVL_TRY(ivl_need(n, 2, "position embedding", -1));
    const ivl_tensor *x = n->x[0], *cls = n->x[1], *pos = n->x[2], *keep = n->x[3];
    char s[96], t[96];
    IVL_CHECK(ivl_numel(cls) == x->dim[2] && ivl_cols(pos) == x->dim[2] && cls->dtype == x->dtype &&
                  pos->dtype == x->dtype && ivl_is_float(x->dtype),
              IVL_ESHAPE, "vit_tokens: positions %s do not fit patches %s", ivl_tensor_text(pos, s, sizeof s),
              ivl_tensor_text(x, t, sizeof t));
    IVL_CHECK(keep || ivl_rows(pos) == 1 + x->dim[1], IVL_ESHAPE, "vit_tokens: %lld positions for %lld patches",
              (long long)ivl_rows(pos), (long long)x->dim[1]);
    IVL_CHECK(!keep || (keep->dtype == IVL_I32 && ivl_numel(keep) == ivl_rows(x)), IVL_ESHAPE,
              "vit_tokens: keep list %s does not fit patches %s", ivl_tensor_text(keep, s, sizeof s),
              ivl_tensor_text(x, t, sizeof t));
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], 1 + x->dim[1], x->dim[2] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[3], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_vit_tokens_bwd, in, 2, n->in, 3, NULL, 0);
}

/* keep?, dy[B,1+K,C] -> dx[B,K,C], dcls[C], dpos[1+G,C] */
static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 1, "dy[B,1+K,C]", 3));
    const ivl_tensor *dy = n->x[1], *keep = n->x[0], *dpos = n->y[2];
    int64_t b = dy->dim[0], k = dy->dim[1] - 1, c = dy->dim[2];
    char s[96], t[96];
    IVL_CHECK(k >= 0, IVL_ESHAPE, "vit_tokens_bwd: no class token in %s", ivl_tensor_text(dy, t, sizeof t));
    IVL_CHECK(!keep || (keep->dtype == IVL_I32 && ivl_numel(keep) == b * k), IVL_ESHAPE,
              "vit_tokens_bwd: keep list %s does not fit %s", ivl_tensor_text(keep, s, sizeof s),
              ivl_tensor_text(dy, t, sizeof t));
    IVL_TRY(ivl_out(n, 0, dy->dtype, 3, (int64_t[]){ b, k, c }));
    IVL_TRY(ivl_out(n, 1, ivl_stat_dtype(dy->dtype), 1, (int64_t[]){ c }));
    if (!dpos) return IVL_OK;
    IVL_CHECK(dpos->pitch && ivl_cols(dpos) == c && (keep || ivl_rows(dpos) == 1 + k), IVL_ESHAPE,
              "vit_tokens_bwd: positions %s do not fit %s", ivl_tensor_text(dpos, s, sizeof s),
              ivl_tensor_text(dy, t, sizeof t));
    return IVL_OK;
}

/* --- portable: one group per row; gradients of positions: one group per position ------------------ */

/* out: the output that the kernel writes, which may be S. */
static ivl_status build(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p, int i,
                        const char *entry, int out)
{
    bool backward = n->op == IVL_OP_vit_tokens_bwd, keep = n->x[backward ? 0 : 3] != NULL;
    bool f32 = n->y[out] && n->y[out]->dtype == IVL_F32;
    return ivl_prep_kernel(d, p_p, i, param, "vit_tokens", entry, "%s -DWG_SIZE=%d -DVEC=%d%s%s",
                           ivl_t_define(n->x[backward ? 1 : 0]->dtype), param[0], param[1], keep ? " -DHAS_KEEP" : "",
                           f32 ? " -DOUT_F32" : "");
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return build(d, n, param, p_p, 0, "vit_tokens_fwd", 0);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *x = n->x[0];
    ivl_args a = { 0 };
    for (int i = 0; i < 4; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)x->dim[1]), ivl_arg_int(&a, (int)x->dim[2]), ivl_arg_int(&a, (int)ivl_rows(n->x[2]));
    return ivl_enqueue(s, p->k[0], ivl_rows(n->y[0]), 1, 1, p->p[0], &a);
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    IVL_TRY(build(d, n, param, p_p, 0, "vit_tokens_bwd_x", 0));
    IVL_TRY(build(d, n, param, p_p, 1, "vit_tokens_bwd_pos", 1));
    return build(d, n, param, p_p, 2, "vit_tokens_bwd_pos", 2);
}

/* The first `count` rows of the positions' gradient (row 0: the class token's) into an output. */
static ivl_status run_pos(ivl_stream *s, const ivl_node *n, const ivl_prep *p, int output, int64_t count)
{
    const ivl_tensor *dy = n->x[1];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]), ivl_arg_tensor(&a, dy), ivl_arg_tensor(&a, n->y[output]);
    ivl_arg_int(&a, (int)dy->dim[0]), ivl_arg_int(&a, (int)dy->dim[1] - 1), ivl_arg_int(&a, (int)dy->dim[2]);
    ivl_arg_int(&a, ivl_adds(n, output));
    return ivl_enqueue(s, p->k[output], count, 1, 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *dy = n->x[1];
    if (n->y[1]) IVL_TRY(run_pos(s, n, p, 1, 1));
    if (n->y[2]) IVL_TRY(run_pos(s, n, p, 2, ivl_rows(n->y[2])));
    if (!n->y[0]) return IVL_OK;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, dy), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)dy->dim[1] - 1), ivl_arg_int(&a, (int)dy->dim[2]), ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], ivl_rows(n->y[0]), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "vit_tokens.any.group", .op = IVL_OP_vit_tokens, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "vit_tokens_bwd.any.group", .op = IVL_OP_vit_tokens_bwd, .fits = ivl_fits_kernels, .prepare = prepare_bwd,
      .run = run_bwd, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

static double flops(const ivl_node *n) { return (double)ivl_numel(n->y[0]); }
static double flops_bwd(const ivl_node *n) { return n->y[2] ? (double)ivl_numel(n->x[1]) : 0; }

const ivl_op_desc ivl_desc_vit_tokens = {
    .name = "vit_tokens", .infer = infer, .grad = grad, .ref64 = ivl_ref64_vit_tokens, .ref32 = ivl_ref32_vit_tokens,
    .flops = flops, .impls = impls, .n_impls = 1,
};
const ivl_op_desc ivl_desc_vit_tokens_bwd = {
    .name = "vit_tokens_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_vit_tokens_bwd,
    .ref32 = ivl_ref32_vit_tokens_bwd, .flops = flops_bwd,
    .impls = impls_bwd, .n_impls = 1,
};
