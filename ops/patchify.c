/* patchify: pixels to patch rows, so that the patch embedding is a matrix product. Bytes are normalised on the way,
 * (v / 255 - mean) / std, and only the patches that survive masking are made. */
#include "ops/op.h"

ivl_val ivl_patchify(ivl_graph *g, ivl_val px, ivl_val keep, ivl_patchify_attr a)
{
    return ivl_record(g, IVL_OP_patchify, (ivl_val[]){ px, keep }, 2, 1, &a, sizeof a, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "pixels", 4));
    const ivl_patchify_attr *a = n->attr;
    const ivl_tensor *px = n->x[0], *keep = n->x[1];
    char s[96];
    bool bytes = px->dtype == IVL_U8;
    int64_t h = px->dim[bytes ? 1 : 2], w = px->dim[bytes ? 2 : 3], p = a->patch;
    IVL_CHECK((bytes || px->dtype == IVL_F32 || px->dtype == IVL_F64) && px->dim[bytes ? 3 : 1] == 3, IVL_ESHAPE,
              "patchify: pixels are %s, not u8[B,H,W,3] or f32[B,3,H,W]", ivl_tensor_text(px, s, sizeof s));
    IVL_CHECK(p > 0 && h % p == 0 && w % p == 0, IVL_ESHAPE, "patchify: %lld x %lld pixels do not split into patches of %d",
              (long long)h, (long long)w, a->patch);
    IVL_CHECK(!keep || (keep->dtype == IVL_I32 && keep->rank == 2 && keep->dim[0] == px->dim[0]), IVL_ESHAPE,
              "patchify: keep list is %s, not i32[%lld,K]", ivl_tensor_text(keep, s, sizeof s), (long long)px->dim[0]);
    IVL_CHECK(ivl_is_float(a->dtype), IVL_EINVAL, "patchify: cannot make patches of %s", ivl_dtype_name(a->dtype));
    for (int c = 0; bytes && c < 3; c++)
        IVL_CHECK(a->std[c] > 0, IVL_EINVAL, "patchify: standard deviation %g of channel %d", (double)a->std[c], c);
    return ivl_out(n, 0, a->dtype, 3,
                   (int64_t[]){ px->dim[0], keep ? keep->dim[1] : (h / p) * (w / p), 3 * p * p });
}

static double flops(const ivl_node *n) { return n->x[0]->dtype == IVL_U8 ? 3.0 * (double)ivl_numel(n->y[0]) : 0; }

const ivl_op_desc ivl_desc_patchify = {
    .name = "patchify", .infer = infer, .ref64 = ivl_ref64_patchify, .ref32 = ivl_ref32_patchify, .flops = flops,
};
