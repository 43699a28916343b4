/* fill: every element becomes one value. Zeroes the parts of a gradient that nothing reaches; seeds losses.
 */
#include "ops/flat.h"

#include <string.h>

#include "ops/graph.h"
#include "runtime/dtype.h"

ivl_val ivl_fill_op(ivl_graph *g, ivl_dtype dtype, int rank, const int64_t *dim, double value)
{
    ivl_val v = IVL_NONE;
    ivl_tensor t = ivl_tensor_make(dtype, rank, dim);
    ivl_fill_attr a = { value };
    if (ivl_graph_status(g) != IVL_OK) return IVL_NONE;
    ivl_value *p = ivl_value_new(g, IVL_TEMP, &t, "fill", &v);
    if (!p) return IVL_NONE;
    p->def = g->n_node;
    ivl_status s = ivl_node_append(g, IVL_OP_fill, NULL, 0, &v, 1, &a, sizeof a, 0, NULL);
    return s == IVL_OK ? v : ivl_graph_failed(g, s);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_CHECK(n->n_out == 1 && n->y[0] && n->y[0]->pitch, IVL_EINVAL, "fill: there is no tensor to fill");
    IVL_CHECK(n->y[0]->dtype <= IVL_U8, IVL_EUNSUPPORTED, "fill: %s has no single elements",
              ivl_dtype_name(n->y[0]->dtype));
    IVL_CHECK(!n->add_mask, IVL_EUNSUPPORTED, "fill: assigns, never adds");
    return IVL_OK;
}

/* --- portable -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "fill", "fill_fwd", "-DU_%d -DWG_SIZE=%d",
                           8 * (int)ivl_dtype_bytes(n->y[0]->dtype, 1), param[0]);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_tensor *y = n->y[0];
    unsigned char bytes[8] = { 0 };
    int32_t bits;
    ivl_store(bytes, y->dtype, 0, ((const ivl_fill_attr *)n->attr)->value);
    memcpy(&bits, bytes, sizeof bits);
    ivl_span span = ivl_span_of(&y, 1, false, p->p);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, y);
    ivl_arg_span(&a, &span);
    ivl_arg_int(&a, bits);
    return ivl_enqueue_span(s, p->k[0], &span, p->p, &a);
}

static const ivl_impl impls[] = {
    { .name = "fill.any.flat", .op = IVL_OP_fill, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_flat_space },
};

const ivl_op_desc ivl_desc_fill = {
    .name = "fill",
    .infer = infer,
    .ref64 = ivl_ref64_fill,
    .ref32 = ivl_ref32_fill,
    .impls = impls,
    .n_impls = 1,
};
