/* The cache of keys and values that decoding reads, cache[R,M,C], changed in place.
 * kv_write: x[B,N,C] to rows pos[b] .. of sample b R/B of the cache; what does not fit is left out.
 * kv_reorder: sample r becomes what sample parent[r] was, in its first len[r] rows: beams that go on from others. */
#include "ops/op.h"

void ivl_kv_write(ivl_graph *g, ivl_val cache, ivl_val x, ivl_val pos)
{
    ivl_record(g, IVL_OP_kv_write, (ivl_val[]){ cache, x, pos }, 3, 0, NULL, 0, NULL);
}

void ivl_kv_reorder(ivl_graph *g, ivl_val cache, ivl_val parent, ivl_val len)
{
    ivl_record(g, IVL_OP_kv_reorder, (ivl_val[]){ cache, parent, len }, 3, 0, NULL, 0, NULL);
}

static ivl_status need_index(const ivl_node *n, int i, const char *what, int64_t count)
{
    char text[96];
    IVL_TRY(ivl_need(n, i, what, -1));
    IVL_CHECK(n->x[i]->dtype == IVL_I32 && ivl_numel(n->x[i]) == count, IVL_ESHAPE, "%s: %s is %s, not i32[%lld]",
              ivl_op_get(n->op)->name, what, ivl_tensor_text(n->x[i], text, sizeof text), (long long)count);
    return IVL_OK;
}

static ivl_status infer_write(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "cache[R,M,C]", 3));
    IVL_TRY(ivl_need(n, 1, "x[B,N,C]", 3));
    const ivl_tensor *c = n->x[0], *x = n->x[1];
    char s[96], t[96];
    IVL_CHECK(ivl_is_float(c->dtype) && c->dtype == x->dtype && c->dim[2] == x->dim[2] && x->dim[0] > 0 &&
                  c->dim[0] % x->dim[0] == 0,
              IVL_ESHAPE, "kv_write: %s does not fit into %s", ivl_tensor_text(x, s, sizeof s),
              ivl_tensor_text(c, t, sizeof t));
    return need_index(n, 2, "pos", x->dim[0]);
}

static ivl_status infer_reorder(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "cache[R,M,C]", 3));
    IVL_CHECK(ivl_is_float(n->x[0]->dtype), IVL_EINVAL, "kv_reorder: the cache is %s", ivl_dtype_name(n->x[0]->dtype));
    IVL_TRY(need_index(n, 1, "parent", n->x[0]->dim[0]));
    return need_index(n, 2, "len", n->x[0]->dim[0]);
}

/* --- portable: one group per row ------------------------------------------------------------------- */

static ivl_status prepare_write(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "kv_write", "kv_write", "%s -DWG_SIZE=%d", ivl_t_define(n->x[0]->dtype),
                           param[0]);
}

static ivl_status run_write(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *c = n->x[0], *x = n->x[1];
    ivl_args a = { 0 };
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_int(&a, (int)c->dim[1]), ivl_arg_int(&a, (int)x->dim[1]), ivl_arg_int(&a, (int)c->dim[2]);
    ivl_arg_int(&a, (int)(c->dim[0] / x->dim[0]));
    return ivl_enqueue(s, p->k[0], x->dim[1], x->dim[0], 1, p->p[0], &a);
}

static size_t scratch_reorder(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    return ivl_dtype_bytes(n->x[0]->dtype, ivl_numel(n->x[0]));
}

static ivl_status prepare_reorder(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "kv_take", "kv_put" };
    for (int i = 0; i < 2; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "kv_write", entry[i], "%s -DWG_SIZE=%d",
                                ivl_t_define(n->x[0]->dtype), param[0]));
    return IVL_OK;
}

static ivl_status run_reorder(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    const ivl_tensor *c = n->x[0];
    for (int i = 0; i < 2; i++) {
        ivl_args a = { 0 };
        for (int j = 0; j < 3; j++) ivl_arg_tensor(&a, n->x[j]);
        ivl_arg_buffer(&a, scratch, off / (int64_t)ivl_dtype_bytes(c->dtype, 1));
        ivl_arg_int(&a, (int)c->dim[0]), ivl_arg_int(&a, (int)c->dim[1]), ivl_arg_int(&a, (int)c->dim[2]);
        IVL_TRY(ivl_enqueue(s, p->k[i], c->dim[1], c->dim[0], 1, p->p[0], &a));
    }
    return IVL_OK;
}

static const ivl_impl impls_write[] = {
    { .name = "kv_write.any.group", .op = IVL_OP_kv_write, .fits = ivl_fits_kernels, .prepare = prepare_write,
      .run = run_write, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
static const ivl_impl impls_reorder[] = {
    { .name = "kv_reorder.any.group", .op = IVL_OP_kv_reorder, .fits = ivl_fits_kernels, .scratch = scratch_reorder,
      .prepare = prepare_reorder, .run = run_reorder, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

static double bytes(const ivl_node *n) { return 2 * (double)ivl_dtype_bytes(n->x[1]->dtype, ivl_numel(n->x[1])); }

const ivl_op_desc ivl_desc_kv_write = {
    .name = "kv_write", .infer = infer_write, .ref64 = ivl_ref64_kv_write, .ref32 = ivl_ref32_kv_write,
    .bytes = bytes, .impls = impls_write, .n_impls = 1, .mutates = 1,
};
const ivl_op_desc ivl_desc_kv_reorder = {
    .name = "kv_reorder", .infer = infer_reorder, .ref64 = ivl_ref64_kv_reorder, .ref32 = ivl_ref32_kv_reorder,
    .impls = impls_reorder, .n_impls = 1, .mutates = 1,
};
