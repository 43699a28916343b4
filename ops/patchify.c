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
    IVL_CHECK(p > 0 && h % p == 0 && w % p == 0, IVL_ESHAPE,
              "patchify: %lld x %lld pixels do not split into patches of %d", (long long)h, (long long)w,
              a->patch);
    IVL_CHECK(!keep || (keep->dtype == IVL_I32 && keep->rank == 2 && keep->dim[0] == px->dim[0]), IVL_ESHAPE,
              "patchify: keep list is %s, not i32[%lld,K]", ivl_tensor_text(keep, s, sizeof s), (long long)px->dim[0]);
    IVL_CHECK(ivl_is_float(a->dtype), IVL_EINVAL, "patchify: cannot make patches of %s", ivl_dtype_name(a->dtype));
    for (int c = 0; bytes && c < 3; c++)
        IVL_CHECK(a->std[c] > 0, IVL_EINVAL, "patchify: standard deviation %g of channel %d", (double)a->std[c], c);
    return ivl_out(n, 0, a->dtype, 3,
                   (int64_t[]){ px->dim[0], keep ? keep->dim[1] : (h / p) * (w / p), 3 * p * p });
}

/* --- portable: one group per patch ---------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "patchify", "patchify_fwd", "%s -DWG_SIZE=%d%s%s",
                           ivl_t_define(n->y[0]->dtype), param[0], n->x[0]->dtype == IVL_U8 ? " -DBYTES" : "",
                           n->x[1] ? " -DHAS_KEEP" : "");
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_patchify_attr *t = n->attr;
    const ivl_tensor *px = n->x[0];
    bool bytes = px->dtype == IVL_U8;
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, px), ivl_arg_tensor(&a, n->x[1]), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)px->dim[bytes ? 1 : 2]), ivl_arg_int(&a, (int)px->dim[bytes ? 2 : 3]);
    ivl_arg_int(&a, t->patch), ivl_arg_int(&a, (int)n->y[0]->dim[1]);
    for (int c = 0; c < 3; c++) ivl_arg_float(&a, t->mean[c]);
    for (int c = 0; c < 3; c++) ivl_arg_float(&a, t->std[c]);
    return ivl_enqueue(s, p->k[0], ivl_rows(n->y[0]), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "patchify.any.group", .op = IVL_OP_patchify, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

static double flops(const ivl_node *n) { return n->x[0]->dtype == IVL_U8 ? 3.0 * (double)ivl_numel(n->y[0]) : 0; }

const ivl_op_desc ivl_desc_patchify = {
    .name = "patchify", .infer = infer, .ref64 = ivl_ref64_patchify, .ref32 = ivl_ref32_patchify, .flops = flops,
    .impls = impls, .n_impls = 1,
};
