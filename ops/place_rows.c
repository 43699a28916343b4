/* place_rows: tokens of pictures into a text: y[r] = x[r] where index[r] is negative, else rows[index[r]]. A row is
 * placed at most once; inverse tells where (or negative), so that its gradient is read and not scattered. */
#include "ops/op.h"

ivl_val ivl_place_rows(ivl_graph *g, ivl_val x, ivl_val rows, ivl_val index, ivl_val inverse)
{
    return ivl_record(g, IVL_OP_place_rows, (ivl_val[]){ x, rows, index, inverse }, 4, 1, NULL, 0, NULL);
}

static ivl_status check_index(const ivl_node *n, int i, const char *what, int64_t count)
{
    char text[96];
    IVL_TRY(ivl_need(n, i, what, -1));
    IVL_CHECK(n->x[i]->dtype == IVL_I32 && ivl_contiguous(n->x[i]) && ivl_numel(n->x[i]) == count, IVL_ESHAPE,
              "%s: %s is %s, not i32[%lld]", ivl_op_get(n->op)->name, what, ivl_tensor_text(n->x[i], text, sizeof text),
              (long long)count);
    return IVL_OK;
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    IVL_TRY(ivl_need(n, 1, "rows", -1));
    const ivl_tensor *x = n->x[0], *rows = n->x[1];
    char a[96], b[96];
    IVL_CHECK(x->rank > 0 && ivl_is_float(x->dtype) && x->dtype == rows->dtype && ivl_cols(x) == ivl_cols(rows),
              IVL_ESHAPE, "place_rows: %s does not fit into %s", ivl_tensor_text(rows, a, sizeof a),
              ivl_tensor_text(x, b, sizeof b));
    IVL_TRY(check_index(n, 2, "index", ivl_rows(x)));
    IVL_TRY(check_index(n, 3, "inverse", ivl_rows(rows)));
    return ivl_out_like(n, 0, x);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { ivl_grad(g, n->out[0]), n->in[2], n->in[3] };
    return ivl_record_bwd(g, IVL_OP_place_rows_bwd, in, 3, n->in, 2, NULL, 0);
}

static ivl_status infer_bwd(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    for (int i = 0; i < 2; i++) {
        const ivl_tensor *y = n->y[i];
        IVL_TRY(check_index(n, 1 + i, i ? "inverse" : "index", y ? ivl_rows(y) : ivl_numel(n->x[1 + i])));
        IVL_CHECK(!y || (y->dtype == n->x[0]->dtype && ivl_cols(y) == ivl_cols(n->x[0])), IVL_ESHAPE,
                  "place_rows_bwd: output %d has another shape", i);
    }
    return IVL_OK;
}

/* --- portable: one group per row ------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "place_rows",
                           n->op == IVL_OP_place_rows ? "place_rows_fwd" : "place_rows_bwd", "%s -DWG_SIZE=%d",
                           ivl_t_define(n->x[0]->dtype), param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_args a = { 0 };
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)ivl_rows(n->x[1])), ivl_arg_int(&a, (int)ivl_cols(n->x[0]));
    return ivl_enqueue(s, p->k[0], ivl_rows(n->x[0]), 1, 1, p->p[0], &a);
}

static ivl_status run_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    for (int i = 0; i < 2; i++) {
        if (!n->y[i]) continue;
        ivl_args a = { 0 };
        ivl_arg_tensor(&a, n->x[0]), ivl_arg_tensor(&a, n->x[1 + i]), ivl_arg_tensor(&a, n->y[i]);
        ivl_arg_int(&a, (int)ivl_rows(n->x[0])), ivl_arg_int(&a, (int)ivl_cols(n->x[0]));
        ivl_arg_int(&a, i), ivl_arg_int(&a, ivl_adds(n, i));
        IVL_TRY(ivl_enqueue(s, p->k[0], ivl_rows(n->y[i]), 1, 1, p->p[0], &a));
    }
    return IVL_OK;
}

static const ivl_impl impls[] = {
    { .name = "place_rows.any.group", .op = IVL_OP_place_rows, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};
static const ivl_impl impls_bwd[] = {
    { .name = "place_rows_bwd.any.group", .op = IVL_OP_place_rows_bwd, .fits = ivl_fits_kernels, .prepare = prepare,
      .run = run_bwd, .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_place_rows = {
    .name = "place_rows", .infer = infer, .grad = grad, .ref64 = ivl_ref64_place_rows, .ref32 = ivl_ref32_place_rows,
    .impls = impls, .n_impls = 1,
};
const ivl_op_desc ivl_desc_place_rows_bwd = {
    .name = "place_rows_bwd", .infer = infer_bwd, .ref64 = ivl_ref64_place_rows_bwd,
    .ref32 = ivl_ref32_place_rows_bwd, .impls = impls_bwd, .n_impls = 1,
};
