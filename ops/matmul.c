/* matmul: y = op(a) op(b), op = transpose where asked; leading axes fold into rows. Its gradients are matmuls
 * again: y = a b:  da = dy b^T, db = a^T dy, and the same with the factors transposed. */
#include "ops/gemm_tiled.h"

ivl_val ivl_matmul(ivl_graph *g, ivl_val a, ivl_val b, int ta, int tb)
{
    ivl_matmul_attr t = { ta, tb };
    return ivl_record(g, IVL_OP_matmul, (ivl_val[]){ a, b }, 2, 1, &t, sizeof t, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    const ivl_matmul_attr *t = n->attr;
    IVL_TRY(ivl_need(n, 0, "a", -1));
    IVL_TRY(ivl_need(n, 1, "b", -1));
    const ivl_tensor *a = n->x[0], *b = n->x[1];
    int64_t m = t->ta ? ivl_cols(a) : ivl_rows(a), k = t->ta ? ivl_rows(a) : ivl_cols(a);
    int64_t kb = t->tb ? ivl_cols(b) : ivl_rows(b), cols = t->tb ? ivl_rows(b) : ivl_cols(b);
    char ca[96], cb[96];
    IVL_CHECK(k == kb && a->dtype == b->dtype && ivl_is_float(a->dtype), IVL_ESHAPE,
              "matmul: %s%s and %s%s do not fit", ivl_tensor_text(a, ca, sizeof ca), t->ta ? "^T" : "",
              ivl_tensor_text(b, cb, sizeof cb), t->tb ? "^T" : "");
    return ivl_out(n, 0, ivl_out_dtype(n, 0, a->dtype), 2, (int64_t[]){ m, cols });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    const ivl_matmul_attr *t = n->attr;
    ivl_val a = n->in[0], b = n->in[1], dy = ivl_grad(g, n->out[0]);
    ivl_matmul_attr ga = t->ta ? (ivl_matmul_attr){ t->tb, 1 } : (ivl_matmul_attr){ 0, !t->tb };
    ivl_matmul_attr gb = t->tb ? (ivl_matmul_attr){ 1, t->ta } : (ivl_matmul_attr){ !t->ta, 0 };
    ivl_val for_a[] = { t->ta ? b : dy, t->ta ? dy : b }, for_b[] = { t->tb ? dy : a, t->tb ? a : dy };
    IVL_TRY(ivl_record_bwd(g, IVL_OP_matmul, for_a, 2, &a, 1, &ga, sizeof ga));
    return ivl_record_bwd(g, IVL_OP_matmul, for_b, 2, &b, 1, &gb, sizeof gb);
}

static double flops(const ivl_node *n)
{
    const ivl_matmul_attr *t = n->attr;
    const ivl_tensor *b = n->x[1];
    return 2.0 * (double)ivl_numel(n->x[0]) * (double)(t->tb ? ivl_rows(b) : ivl_cols(b));
}

const ivl_op_desc ivl_desc_matmul = {
    .name = "matmul",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_matmul,
    .ref32 = ivl_ref32_matmul,
    .flops = flops,
    .impls = ivl_matmul_impls,
    .n_impls = 1,
};
