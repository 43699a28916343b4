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

static double flops(const ivl_node *n) { return (double)ivl_numel(n->y[0]); }
static double flops_bwd(const ivl_node *n) { return n->y[2] ? (double)ivl_numel(n->x[1]) : 0; }

const ivl_op_desc ivl_desc_vit_tokens = {
    .name = "vit_tokens", .infer = infer, .grad = grad, .ref64 = ivl_ref64_vit_tokens, .ref32 = ivl_ref32_vit_tokens,
    .flops = flops,
};
const ivl_op_desc ivl_desc_vit_tokens_bwd = {
    .name = "vit_tokens_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_vit_tokens_bwd,
    .ref32 = ivl_ref32_vit_tokens_bwd, .flops = flops_bwd,
};
