/* cast: rounds to another storage type, to nearest even; also copies and, with add_mask, adds: what the
 * backward pass needs where gradients meet. With input 1 it writes there, an external tensor, instead of an
 * output. */
#include "ops/flat.h"

ivl_val ivl_cast(ivl_graph *g, ivl_val x, ivl_dtype dtype)
{
    ivl_cast_attr a = { dtype };
    return ivl_record(g, IVL_OP_cast, &x, 1, 1, &a, sizeof a, NULL);
}

void ivl_cast_into(ivl_graph *g, ivl_val x, ivl_val y)
{
    const ivl_tensor *t = ivl_tensor_of(g, y);
    ivl_cast_attr a = { t ? t->dtype : IVL_F32 };
    ivl_record(g, IVL_OP_cast, (ivl_val[]){ x, y }, 2, 0, &a, sizeof a, NULL);
}

/* Where n writes. */
static const ivl_tensor *target(const ivl_node *n) { return n->n_in > 1 && n->x[1] ? n->x[1] : n->y[0]; }

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    const ivl_tensor *x = n->x[0];
    char a[96], b[96];
    if (n->n_in > 1) IVL_TRY(ivl_need(n, 1, "the tensor to write", -1));
    else IVL_TRY(ivl_out(n, 0, ivl_out_dtype(n, 0, ((const ivl_cast_attr *)n->attr)->dtype), x->rank, x->dim));
    const ivl_tensor *y = target(n);
    IVL_CHECK(y, IVL_EINVAL, "cast: there is no tensor to write");
    ivl_tensor_text(x, a, sizeof a), ivl_tensor_text(y, b, sizeof b);
    IVL_CHECK(ivl_is_float(x->dtype) && ivl_is_float(y->dtype), IVL_EUNSUPPORTED, "cast: %s to %s", a, b);
    /* other shapes of the same size are reshapes: those have no gaps */
    IVL_CHECK(ivl_numel(x) == ivl_numel(y) &&
                  (ivl_cols(x) == ivl_cols(y) || (ivl_contiguous(x) && ivl_contiguous(y))),
              IVL_ESHAPE, "cast: %s does not fit %s", a, b);
    return IVL_OK;
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val dy = ivl_grad(g, n->out[0]);
    ivl_cast_attr a = { n->x[0]->dtype };
    return ivl_record_bwd(g, IVL_OP_cast, &dy, 1, n->in, 1, &a, sizeof a);
}

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "cast", "cast_fwd", "%s %s -DWG_SIZE=%d",
                           ivl_t_define(n->x[0]->dtype), ivl_o_define(target(n)->dtype), param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *t[] = { n->x[0], target(n) };
    ivl_span span = ivl_span_of(t, 2, false, p->p);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, t[0]);
    ivl_arg_tensor(&a, t[1]);
    ivl_arg_span(&a, &span);
    ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static const ivl_impl impls[] = {
    { .name = "cast.any.flat", .op = IVL_OP_cast, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_cast = {
    .name = "cast",
    .infer = infer,
    .grad = grad,
    .ref64 = ivl_ref64_cast,
    .ref32 = ivl_ref32_cast,
    .impls = impls,
    .n_impls = 1,
    .mutates = 1 << 1,
};
