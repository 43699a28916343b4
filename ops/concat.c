/* concat: y = [a | b], columns beside columns. Tokens are joined with it too: [B,N,C] is [B,N*C]. An input of one row
 * stands in every row of y; its gradient is then a sum over rows. */
#include "ops/op.h"

ivl_val ivl_concat(ivl_graph *g, ivl_val a, ivl_val b)
{
    ivl_concat_attr k = { 0 };
    return ivl_record(g, IVL_OP_concat, (ivl_val[]){ a, b }, 2, 1, &k, sizeof k, NULL);
}

static ivl_val as_rows(ivl_graph *g, ivl_val x)
{
    const ivl_tensor *t = ivl_tensor_of(g, x);
    return t && t->rank == 3 ? ivl_reshape(g, x, 2, (int64_t[]){ t->dim[0], t->dim[1] * t->dim[2] }) : x;
}

ivl_val ivl_join(ivl_graph *g, ivl_val a, ivl_val b)
{
    const ivl_tensor *ta = ivl_tensor_of(g, a), *tb = ivl_tensor_of(g, b);
    if (!ta || !tb) return IVL_NONE;
    int64_t batch = ta->dim[0] > tb->dim[0] ? ta->dim[0] : tb->dim[0], n = ta->dim[1] + tb->dim[1], c = ta->dim[2];
    return ivl_reshape(g, ivl_concat(g, as_rows(g, a), as_rows(g, b)), 3, (int64_t[]){ batch, n, c });
}

ivl_val ivl_repeat(ivl_graph *g, ivl_val x, int64_t batch)
{
    const ivl_tensor *t = ivl_tensor_of(g, x);
    if (!t || t->rank != 3) return IVL_NONE;
    ivl_concat_attr k = { batch };
    int64_t dim[] = { batch, t->dim[1], t->dim[2] };
    ivl_val in[] = { as_rows(g, x), IVL_NONE };
    return ivl_reshape(g, ivl_record(g, IVL_OP_concat, in, 2, 1, &k, sizeof k, NULL), 3, dim);
}

ivl_val ivl_tokens(ivl_graph *g, ivl_val x, int64_t first, int64_t n)
{
    const ivl_tensor *t = ivl_tensor_of(g, x);
    if (!t || (first == 0 && n == t->dim[1])) return x;
    int64_t batch = t->dim[0], c = t->dim[2];
    ivl_val part = ivl_columns(g, as_rows(g, x), first * c, n * c);
    return ivl_reshape(g, ivl_cast(g, part, t->dtype), 3, (int64_t[]){ batch, n, c });
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "a[R,K]", 2));
    if (n->x[1]) IVL_TRY(ivl_need(n, 1, "b[R,K]", 2));
    const ivl_tensor *a = n->x[0], *b = n->x[1];
    int64_t rows = ((const ivl_concat_attr *)n->attr)->rows, cols = 0;
    char s[96], t[96];
    for (int i = 0; i < 2; i++)
        if (n->x[i]) rows = n->x[i]->dim[0] > rows ? n->x[i]->dim[0] : rows, cols += n->x[i]->dim[1];
    for (int i = 0; i < 2; i++)
        IVL_CHECK(!n->x[i] || (ivl_is_float(a->dtype) && a->dtype == n->x[i]->dtype &&
                               (n->x[i]->dim[0] == rows || n->x[i]->dim[0] == 1)),
                  IVL_ESHAPE, "concat: %s does not fit beside %s in %lld rows", ivl_tensor_text(b, s, sizeof s),
                  ivl_tensor_text(a, t, sizeof t), (long long)rows);
    return ivl_out(n, 0, a->dtype, 2, (int64_t[]){ rows, cols });
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    int64_t rows = n->y[0]->dim[0], first = 0;
    for (int i = 0; i < 2 && n->x[i]; i++) {
        ivl_val part = ivl_columns(g, dy, first, n->x[i]->dim[1]);
        ivl_cast_attr a = { n->x[i]->dtype };
        bool sum = n->x[i]->dim[0] < rows;
        IVL_TRY(ivl_graph_status(g));
        if (sum) IVL_TRY(ivl_record_bwd(g, IVL_OP_linear_bwd_b, &part, 1, &n->in[i], 1, NULL, 0));
        else IVL_TRY(ivl_record_bwd(g, IVL_OP_cast, &part, 1, &n->in[i], 1, &a, sizeof a));
        first += n->x[i]->dim[1];
    }
    return IVL_OK;
}

/* --- portable: one group per row ------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "concat", "concat_fwd", "%s -DWG_SIZE=%d", ivl_t_define(n->x[0]->dtype),
                           param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *a = n->x[0], *b = n->x[1], *y = n->y[0];
    ivl_args k = { 0 };
    ivl_arg_tensor(&k, a), ivl_arg_tensor(&k, b), ivl_arg_tensor(&k, y);
    ivl_arg_int(&k, (int)a->dim[1]), ivl_arg_int(&k, b ? (int)b->dim[1] : 0);
    ivl_arg_int(&k, a->dim[0] > 1), ivl_arg_int(&k, b && b->dim[0] > 1);
    return ivl_enqueue(s, p->k[0], y->dim[0], 1, 1, p->p[0], &k);
}

static const ivl_impl impls[] = {
    { .name = "concat.any.group", .op = IVL_OP_concat, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

const ivl_op_desc ivl_desc_concat = {
    .name = "concat", .infer = infer, .grad = grad, .ref64 = ivl_ref64_concat, .ref32 = ivl_ref32_concat,
    .impls = impls, .n_impls = 1,
};
