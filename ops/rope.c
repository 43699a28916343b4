/* rope: rotates pairs of each head by pos * theta^(-2i/D) (Su et al., 2104.09864). Angles are f32 whatever the storage
 * type, as in PyTorch, and the frequencies are computed once on the host, so every device has the same angles. The
 * gradient is the inverse rotation: rope itself. */
#include "ops/rope.h"

#include <math.h>
#include <stdlib.h>

ivl_val ivl_rope(ivl_graph *g, ivl_val x, ivl_val pos, int heads, double theta, int adjacent)
{
    ivl_rope_attr a = { .heads = heads, .theta = theta, .adjacent = adjacent };
    return ivl_record(g, IVL_OP_rope, (ivl_val[]){ x, pos }, 2, 1, &a, sizeof a, NULL);
}

float ivl_rope_frequency(double theta, int i, int dim)
{
    return 1.0f / powf((float)theta, (float)(2 * i) / (float)dim);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    const ivl_rope_attr *a = n->attr;
    const ivl_tensor *x = n->x[0], *pos = n->x[1];
    char s[96], t[96];
    IVL_CHECK(x->rank >= 2 && ivl_is_float(x->dtype) && a->heads > 0 && ivl_cols(x) % (2 * a->heads) == 0, IVL_ESHAPE,
              "rope: x %s does not split into %d heads of an even size", ivl_tensor_text(x, s, sizeof s), a->heads);
    IVL_CHECK(!pos || (pos->dtype == IVL_I32 && ivl_numel(pos) == ivl_rows(x)), IVL_ESHAPE,
              "rope: positions %s do not fit x %s", ivl_tensor_text(pos, s, sizeof s), ivl_tensor_text(x, t, sizeof t));
    IVL_CHECK(a->theta > 0, IVL_EINVAL, "rope: theta is %g", a->theta);
    return ivl_out_like(n, 0, x);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_rope_attr a = *(const ivl_rope_attr *)n->attr;
    a.inverse = !a.inverse;
    return ivl_record_bwd(g, IVL_OP_rope, (ivl_val[]){ ivl_grad(g, n->out[0]), n->in[1] }, 2, n->in, 1, &a, sizeof a);
}

static double flops(const ivl_node *n) { return 3.0 * (double)ivl_numel(n->x[0]); }

const ivl_op_desc ivl_desc_rope = {
    .name = "rope", .infer = infer, .grad = grad, .ref64 = ivl_ref64_rope, .ref32 = ivl_ref32_rope, .flops = flops,
};
