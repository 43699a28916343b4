/* embed: y[b,n] = table[ids[b,n]]. Ids come from the tokenizer, which checks them; here they are clamped, so
 * that no id leaves the table.
 *
 * The gradient dW[V,C] adds dy's rows by id, in the order of positions, without atomics: positions with one
 * id form a chain, and the group of its first position walks it. Cost for n = B N positions: the chains
 * compare ids, n^2 at worst and much less in practice, as a scan ends at the first match (5,000 different ids:
 * 2 ms on two cores); the sums read dy once; and where the gradient is assigned, the whole table is zeroed,
 * which is most of the time for a large vocabulary (V C 4 bytes: 64 MB for 50,000 x 320). */
#include "ops/column_sum.h"
#include "runtime/dtype.h"

ivl_val ivl_embed(ivl_graph *g, ivl_val table, ivl_val ids)
{
    return ivl_record(g, IVL_OP_embed, (ivl_val[]){ table, ids }, 2, 1, NULL, 0, NULL);
}

/* Rows of a quantised table are f32. */
static ivl_dtype row_dtype(const ivl_tensor *table)
{
    return ivl_dtype_block(table->dtype) > 1 ? IVL_F32 : table->dtype;
}

static ivl_status check_ids(const ivl_node *n, int i, const ivl_tensor *table)
{
    IVL_TRY(ivl_need(n, i, "ids", -1));
    const ivl_tensor *ids = n->x[i];
    char a[96], b[96];
    IVL_CHECK(table->rank == 2 && table->dim[0] > 0 && ivl_is_weight(table, row_dtype(table)) &&
                  ids->dtype == IVL_I32 && ids->rank < IVL_MAX_RANK && ivl_contiguous(ids) &&
                  ivl_numel(ids) <= INT32_MAX / 2,
              IVL_ESHAPE, "embed: ids %s do not fit table %s", ivl_tensor_text(ids, a, sizeof a),
              ivl_tensor_text(table, b, sizeof b));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "table", 2));
    IVL_TRY(check_ids(n, 1, n->x[0]));
    ivl_tensor y = *n->x[1];
    y.dim[y.rank++] = n->x[0]->dim[1];
    return ivl_out(n, 0, row_dtype(n->x[0]), y.rank, y.dim);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[1], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, IVL_OP_embed_bwd, in, 2, n->in, 1, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 1, "dy", -1));
    IVL_CHECK(n->y[0], IVL_EINVAL, "embed_bwd: the gradient has no target");
    const ivl_tensor *dy = n->x[1], *dw = n->y[0];
    IVL_TRY(check_ids(n, 0, dw));
    char a[96], b[96];
    IVL_CHECK(dw->dtype == ivl_stat_dtype(dy->dtype) && ivl_cols(dy) == dw->dim[1] &&
                  ivl_rows(dy) == ivl_numel(n->x[0]),
              IVL_ESHAPE, "embed_bwd: %s is no gradient of rows of %s", ivl_tensor_text(dy, a, sizeof a),
              ivl_tensor_text(dw, b, sizeof b));
    return IVL_OK;
}

static double flops_bwd(const ivl_node *n) { return (double)ivl_numel(n->x[1]); }

/* --- portable: one group per position --------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "embed", "embed_fwd", "%s%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(row_dtype(n->x[0])), ivl_w_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *table = n->x[0];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, table);
    ivl_arg_tensor(&a, n->x[1]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)table->dim[0]), ivl_arg_int(&a, (int)table->dim[1]);
    return ivl_enqueue(s, p->k[0], ivl_numel(n->x[1]), 1, 1, p->p[0], &a);
}

/* next[n] and first[n] */
static size_t scratch_bwd(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    return 2 * sizeof(int32_t) * (size_t)ivl_numel(n->x[0]);
}

static ivl_status prepare_bwd(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    static const char *const entry[] = { "embed_zero", "embed_chain", "embed_bwd" };
    for (int i = 0; i < 3; i++)
        IVL_TRY(ivl_prep_kernel(d, p_p, i, param, "embed", entry[i], "%s -DWG_SIZE=%d -DVEC=%d",
                                ivl_t_define(n->x[1]->dtype), param[0], param[1]));
    return IVL_OK;
}

static ivl_status run_zero(ivl_stream *s, const ivl_prep *p, const ivl_tensor *dw)
{
    int64_t rows = dw->dim[0];
    ivl_chunks chunks = ivl_row_chunks(ivl_device_caps(s->dev), rows, false);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, dw);
    ivl_arg_int(&a, (int)rows), ivl_arg_int(&a, (int)dw->dim[1]), ivl_arg_int(&a, chunks.per);
    return ivl_enqueue(s, p->k[0], chunks.n, 1, 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                          int64_t off)
{
    const ivl_tensor *dw = n->y[0];
    int64_t count = ivl_numel(n->x[0]);
    if (!ivl_adds(n, 0)) IVL_TRY(run_zero(s, p, dw));
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, (int)count), ivl_arg_int(&a, (int)dw->dim[0]);
    IVL_TRY(ivl_enqueue(s, p->k[1], (count + p->p[0] - 1) / p->p[0], 1, 1, p->p[0], &a));
    ivl_args b = { 0 };
    ivl_arg_tensor(&b, n->x[0]);
    ivl_arg_tensor(&b, n->x[1]);
    ivl_arg_tensor(&b, dw);
    ivl_arg_buffer(&b, scratch, off / 4);
    ivl_arg_int(&b, (int)count), ivl_arg_int(&b, (int)dw->dim[0]), ivl_arg_int(&b, (int)dw->dim[1]);
    return ivl_enqueue(s, p->k[2], count, 1, 1, p->p[0], &b);
}

static const ivl_impl impls[] = {
    { .name = "embed.any.group",
      .op = IVL_OP_embed,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "embed_bwd.any.chain",
      .op = IVL_OP_embed_bwd,
      .fits = ivl_fits_kernels,
      .scratch = scratch_bwd,
      .prepare = prepare_bwd,
      .run = run_bwd,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_embed = {
    .name = "embed",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_embed,
    .ref32 = ivl_ref32_embed,
    .bytes = ivl_bytes_of_rows,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_embed_bwd = {
    .name = "embed_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_embed_bwd,
    .ref32 = ivl_ref32_embed_bwd,
    .flops = flops_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
