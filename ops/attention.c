/* attention: o = softmax(scale q k^T) v over the keys a rule lets each query see, in tiles with an online softmax
 * (Dao et al., 2205.14135): no n x m matrix exists. Backward recomputes p from the log-sum-exp:
 *   delta = rowsum(do o),  ds = p (do v^T - delta),  dq = scale ds k,  dk = scale ds^T q,  dv = p^T do. */
#include "ops/attention.h"

#include <math.h>

ivl_val ivl_attention(ivl_graph *g, ivl_val q, ivl_val k, ivl_val v, ivl_val len, ivl_attention_attr a)
{
    return ivl_record(g, IVL_OP_attention, (ivl_val[]){ q, k, v, len }, 4, 2, &a, sizeof a, NULL);
}

ivl_attention_dims ivl_attention_dims_of(const ivl_node *n)
{
    const ivl_attention_attr *a = n->attr;
    const ivl_tensor *q = n->x[0], *k = n->x[1];
    ivl_attention_dims d = {
        .batch = (int)q->dim[0], .kv_batch = (int)k->dim[0], .n = (int)q->dim[1], .m = (int)k->dim[1],
        .heads = a->heads, .kv_heads = a->kv_heads ? a->kv_heads : a->heads, .rule = (int)a->mask,
        .queries = a->queries,
    };
    d.group = d.heads / d.kv_heads;
    d.dim = (int)(q->dim[2] / d.heads);
    d.scale = a->scale != 0 ? a->scale : 1 / sqrt((double)d.dim);
    return d;
}

static ivl_status check_heads(const ivl_node *n)
{
    const ivl_attention_attr *a = n->attr;
    const ivl_tensor *q = n->x[0], *k = n->x[1], *v = n->x[2];
    int kv = a->kv_heads ? a->kv_heads : a->heads;
    char s[96], t[96];
    IVL_CHECK(a->heads > 0 && kv > 0 && a->heads % kv == 0, IVL_EINVAL, "attention: %d heads cannot share %d key heads",
              a->heads, kv);
    IVL_CHECK(q->dim[2] % a->heads == 0, IVL_ESHAPE, "attention: q %s does not split into %d heads",
              ivl_tensor_text(q, s, sizeof s), a->heads);
    IVL_CHECK(k->dim[2] == q->dim[2] / a->heads * kv && k->dim[0] > 0 && q->dim[0] % k->dim[0] == 0, IVL_ESHAPE,
              "attention: k %s does not fit q %s with %d of %d heads", ivl_tensor_text(k, s, sizeof s),
              ivl_tensor_text(q, t, sizeof t), kv, a->heads);
    IVL_CHECK(ivl_same_shape(k, v), IVL_ESHAPE, "attention: v %s differs from k %s", ivl_tensor_text(v, s, sizeof s),
              ivl_tensor_text(k, t, sizeof t));
    IVL_CHECK(q->dtype == k->dtype && q->dtype == v->dtype && ivl_is_float(q->dtype), IVL_EINVAL,
              "attention: q, k, v are %s, %s, %s, not one floating type", ivl_dtype_name(q->dtype),
              ivl_dtype_name(k->dtype), ivl_dtype_name(v->dtype));
    return IVL_OK;
}

static ivl_status check(const ivl_node *n)
{
    static const char *const name[] = { "q[B,N,H*D]", "k[B,M,H*D]", "v[B,M,H*D]" };
    for (int i = 0; i < 3; i++) IVL_TRY(ivl_need(n, i, name[i], 3));
    IVL_TRY(check_heads(n));
    const ivl_attention_attr *a = n->attr;
    const ivl_tensor *q = n->x[0], *len = n->x[3];
    char s[96];
    IVL_CHECK(!len || (len->dtype == IVL_I32 && ivl_numel(len) == q->dim[0]), IVL_ESHAPE,
              "attention: len is %s, not i32[%lld]", ivl_tensor_text(len, s, sizeof s), (long long)q->dim[0]);
    bool thirds = a->mask == IVL_MASK_STAGE2 || a->mask == IVL_MASK_RETRIEVAL;
    IVL_CHECK((thirds || (a->mask >= IVL_MASK_FULL && a->mask <= IVL_MASK_PREFIX)) && a->queries >= 0, IVL_EINVAL,
              "attention: no mask rule %d with %d queries", (int)a->mask, a->queries);
    IVL_CHECK(!thirds || (q->dim[0] % 3 == 0 && q->dim[0] == n->x[1]->dim[0]), IVL_ESHAPE,
              "attention: %lld rows of queries and %lld of keys are no three thirds", (long long)q->dim[0],
              (long long)n->x[1]->dim[0]);
    IVL_CHECK(q->dim[1] < INT32_MAX / 2 && n->x[1]->dim[1] < INT32_MAX / 2, IVL_EUNSUPPORTED,
              "attention: %lld x %lld rows", (long long)q->dim[1], (long long)n->x[1]->dim[1]);
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(check(n));
    const ivl_tensor *q = n->x[0];
    IVL_TRY(ivl_out_like(n, 0, q));
    return ivl_out(n, 1, ivl_stat_dtype(q->dtype), 3,
                   (int64_t[]){ q->dim[0], ((const ivl_attention_attr *)n->attr)->heads, q->dim[1] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], n->in[1], n->in[2], n->in[3], n->out[0], n->out[1], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_attention_bwd, in, 7, n->in, 3, n->attr, sizeof(ivl_attention_attr));
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(check(n));
    IVL_TRY(ivl_need(n, 4, "o", 3));
    IVL_TRY(ivl_need(n, 5, "lse", 3));
    IVL_TRY(ivl_need(n, 6, "do", -1));
    for (int i = 0; i < 3; i++) IVL_TRY(ivl_out_like(n, i, n->x[i]));
    return IVL_OK;
}

/* Multiply-adds of one n x m product over all heads, counting masked halves as if they were computed. */
static double product(const ivl_node *n)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    return 2.0 * d.batch * d.heads * (double)d.n * d.m * d.dim * (d.rule == IVL_MASK_CAUSAL ? 0.5 : 1);
}

static double flops(const ivl_node *n) { return 2 * product(n); }
static double flops_bwd(const ivl_node *n) { return 5 * product(n); }

const ivl_op_desc ivl_desc_attention = {
    .name = "attention", .infer = infer, .grad = grad, .ref64 = ivl_ref64_attention, .ref32 = ivl_ref32_attention,
    .flops = flops, .impls = ivl_attention_impls, .n_impls = IVL_ATTENTION_IMPLS,
};
const ivl_op_desc ivl_desc_attention_bwd = {
    .name = "attention_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_attention_bwd,
    .ref32 = ivl_ref32_attention_bwd, .flops = flops_bwd, .impls = ivl_attention_bwd_impls,
    .n_impls = IVL_ATTENTION_BWD_IMPLS,
};
