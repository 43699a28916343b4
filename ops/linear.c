/* linear: y = x w^T + b, and its two fused forms: with GELU, and as the branch of a residual. The fused ones
 * are made by ops/fuse.c after the backward pass is recorded, so only linear has a gradient: dx = dy w, dw =
 * dy^T x (matmul), db = column sums of dy. */
#include "ops/column_sum.h"
#include "ops/gemm_tiled.h"

ivl_val ivl_linear(ivl_graph *g, ivl_val x, ivl_val w, ivl_val b)
{
    return ivl_record(g, IVL_OP_linear, (ivl_val[]){ x, w, b }, 3, 1, NULL, 0, NULL);
}

/* x[..,K], w[N,K] and b[N] fit; y is x's shape with N columns. */
static ivl_status check(const ivl_node *n, ivl_tensor *y)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    IVL_TRY(ivl_need(n, 1, "w", 2));
    const ivl_tensor *x = n->x[0], *w = n->x[1], *b = n->n_in > 2 ? n->x[2] : NULL;
    char a[96], c[96];
    IVL_CHECK(x->rank > 0 && ivl_cols(x) == ivl_cols(w) && ivl_is_float(x->dtype) && ivl_is_weight(w, x->dtype),
              IVL_ESHAPE, "%s: weight %s does not fit %s", ivl_op_get(n->op)->name,
              ivl_tensor_text(w, a, sizeof a), ivl_tensor_text(x, c, sizeof c));
    IVL_CHECK(!b || (ivl_numel(b) == w->dim[0] && b->dtype == x->dtype), IVL_ESHAPE,
              "%s: bias %s does not fit weight %s", ivl_op_get(n->op)->name, ivl_tensor_text(b, a, sizeof a),
              ivl_tensor_text(w, c, sizeof c));
    int64_t dim[IVL_MAX_RANK];
    for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
    dim[x->rank - 1] = w->dim[0];
    *y = ivl_tensor_make(x->dtype, x->rank, dim);
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    ivl_tensor y;
    IVL_TRY(check(n, &y));
    return ivl_out_like(n, 0, &y);
}

static ivl_status infer_gelu(const ivl_node *n)
{
    ivl_tensor y;
    IVL_TRY(check(n, &y));
    IVL_TRY(ivl_out_like(n, 0, &y));
    return ivl_out_like(n, 1, &y);
}

static ivl_status infer_residual(const ivl_node *n)
{
    ivl_tensor y;
    IVL_TRY(check(n, &y));
    IVL_TRY(ivl_need(n, 3, "residual", -1));
    char a[96], b[96];
    IVL_CHECK(ivl_numel(n->x[3]) == ivl_numel(&y), IVL_ESHAPE,
              "linear_residual: residual %s and branch %s differ", ivl_tensor_text(n->x[3], a, sizeof a),
              ivl_tensor_text(&y, b, sizeof b));
    IVL_TRY(ivl_out_like(n, 0, n->x[3]));
    return ivl_out_like(n, 1, &y);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    static const ivl_matmul_attr nn = { 0, 0 }, tn = { 1, 0 };
    ivl_val dy = ivl_grad(g, n->out[0]);
    IVL_TRY(ivl_record_bwd(g, IVL_OP_matmul, (ivl_val[]){ dy, n->in[1] }, 2, &n->in[0], 1, &nn, sizeof nn));
    IVL_TRY(ivl_record_bwd(g, IVL_OP_matmul, (ivl_val[]){ dy, n->in[0] }, 2, &n->in[1], 1, &tn, sizeof tn));
    if (!n->x[2]) return IVL_OK;
    return ivl_record_bwd(g, IVL_OP_linear_bwd_b, &dy, 1, &n->in[2], 1, NULL, 0);
}

static ivl_status infer_bwd_b(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    return ivl_out_column_sum(n, 0, n->x[0]->dtype, ivl_cols(n->x[0]));
}

static double flops(const ivl_node *n)
{
    return 2.0 * (double)ivl_rows(n->x[0]) * (double)ivl_numel(n->x[1]);
}

static double flops_bwd_b(const ivl_node *n) { return (double)ivl_numel(n->x[0]); }

const ivl_op_desc ivl_desc_linear = {
    .name = "linear",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_linear,
    .ref32 = ivl_ref32_linear,
    .flops = flops,
    .impls = ivl_linear_impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_linear_gelu = {
    .name = "linear_gelu",
    .infer = infer_gelu,
    .ref64 = ivl_ref64_linear_gelu,
    .ref32 = ivl_ref32_linear_gelu,
    .flops = flops,
    .impls = ivl_linear_gelu_impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_linear_residual = {
    .name = "linear_residual",
    .infer = infer_residual,
    .ref64 = ivl_ref64_linear_residual,
    .ref32 = ivl_ref32_linear_residual,
    .flops = flops,
    .impls = ivl_linear_residual_impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_linear_bwd_b = {
    .name = "linear_bwd_b",
    .infer = infer_bwd_b,
    .ref64 = ivl_ref64_linear_bwd_b,
    .ref32 = ivl_ref32_linear_bwd_b,
    .flops = flops_bwd_b,
    .impls = ivl_linear_bwd_b_impls,
    .n_impls = 1,
};
