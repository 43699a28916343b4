/* gather_rows: y[b] = x[b, index[b]]: the token a text is read from. The gradient is dy in those rows and 0
 * elsewhere; where it is added to another, only those rows are touched. Indices come from the data layer,
 * which checks them; here they are clamped, so that no index leaves the tensor. */
#include "ops/op.h"

ivl_val ivl_gather_rows(ivl_graph *g, ivl_val x, ivl_val index)
{
    return ivl_record(g, IVL_OP_gather_rows, (ivl_val[]){ x, index }, 2, 1, NULL, 0, NULL);
}

/* index i32[B] for the batch of x[B,N,C]. */
static ivl_status check_index(const ivl_node *n, const ivl_tensor *x)
{
    IVL_TRY(ivl_need(n, 1, "index", -1));
    const ivl_tensor *index = n->x[1];
    char a[96], b[96];
    IVL_CHECK(x->rank == 3 && x->dim[1] > 0 && ivl_is_float(x->dtype) && index->dtype == IVL_I32 &&
                  ivl_numel(index) == x->dim[0],
              IVL_ESHAPE, "gather_rows: index %s does not fit %s", ivl_tensor_text(index, a, sizeof a),
              ivl_tensor_text(x, b, sizeof b));
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", 3));
    const ivl_tensor *x = n->x[0];
    IVL_TRY(check_index(n, x));
    return ivl_out(n, 0, x->dtype, 2, (int64_t[]){ x->dim[0], x->dim[2] });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { ivl_grad(g, n->out[0]), n->in[1] };
    return ivl_record_bwd(g, IVL_OP_gather_rows_bwd, in, 2, n->in, 1, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    IVL_CHECK(n->y[0], IVL_EINVAL, "gather_rows_bwd: the gradient has no target");
    const ivl_tensor *dy = n->x[0], *dx = n->y[0];
    IVL_TRY(check_index(n, dx));
    char a[96], b[96];
    IVL_CHECK(dy->dtype == dx->dtype && ivl_rows(dy) == dx->dim[0] && ivl_cols(dy) == dx->dim[2], IVL_ESHAPE,
              "gather_rows_bwd: %s is no gradient of rows of %s", ivl_tensor_text(dy, a, sizeof a),
              ivl_tensor_text(dx, b, sizeof b));
    return IVL_OK;
}

/* --- portable: one group per row ------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    const char *bwd = ivl_adds(n, 0) ? "gather_rows_bwd_add" : "gather_rows_bwd";
    return ivl_prep_kernel(d, p_p, 0, param, "gather_rows",
                           n->op == IVL_OP_gather_rows ? "gather_rows_fwd" : bwd, "%s -DWG_SIZE=%d -DVEC=%d",
                           ivl_t_define(n->x[0]->dtype), param[0], param[1]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    bool forward = n->op == IVL_OP_gather_rows;
    const ivl_tensor *whole = forward ? n->x[0] : n->y[0];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[0]);
    ivl_arg_tensor(&a, n->x[1]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)whole->dim[1]), ivl_arg_int(&a, (int)whole->dim[2]);
    if (forward || ivl_adds(n, 0)) return ivl_enqueue(s, p->k[0], whole->dim[0], 1, 1, p->p[0], &a);
    return ivl_enqueue(s, p->k[0], whole->dim[1], whole->dim[0], 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "gather_rows.any.group",
      .op = IVL_OP_gather_rows,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "gather_rows_bwd.any.group",
      .op = IVL_OP_gather_rows_bwd,
      .fits = ivl_fits_kernels,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_gather_rows = {
    .name = "gather_rows",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_gather_rows,
    .ref32 = ivl_ref32_gather_rows,
    .bytes = ivl_bytes_of_rows,
    .impls = impls,
    .n_impls = 1,
};
const ivl_op_desc ivl_desc_gather_rows_bwd = {
    .name = "gather_rows_bwd",
    .infer = infer_bwd,
    .ref64 = ivl_ref64_gather_rows_bwd,
    .ref32 = ivl_ref32_gather_rows_bwd,
    .impls = impls_bwd,
    .n_impls = 1,
};
