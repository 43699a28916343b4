/* The node of a case with memory: every tensor lies alone between guard bands; bytes that belong to no
 * element, and outputs before they are written, are 0xff (NaN in every float type). */
#include "tests/ops/cases.h"

#include "runtime/dtype.h"
#include "runtime/rng.h"

#include <stdlib.h>
#include <string.h>

enum { GUARD = 1024, MISALIGN = 3, OLD = 100 };

static ivl_dtype role_dtype(ivl_role r, ivl_dtype t)
{
    switch (r) {
    case IVL_ROLE_T: return t;
    case IVL_ROLE_S: return t == IVL_F64 ? IVL_F64 : IVL_F32;
    case IVL_ROLE_BF16: return IVL_BF16;
    case IVL_ROLE_F16: return IVL_F16;
    case IVL_ROLE_I32: return IVL_I32;
    case IVL_ROLE_U8: return IVL_U8;
    case IVL_ROLE_Q8_0: return IVL_Q8_0;
    case IVL_ROLE_Q4_0: return IVL_Q4_0;
    case IVL_ROLE_Q4_1: return IVL_Q4_1;
    default: return IVL_F32;
    }
}

static double draw(const ivl_draw *d, ivl_rng r, uint32_t tensor, int64_t i)
{
    switch (d->kind) {
    case IVL_DRAW_UNIFORM: return d->a + (d->b - d->a) * ivl_rng_uniform(r, tensor, 0, (uint64_t)i);
    case IVL_DRAW_INT:
        return d->a + (double)ivl_rng_below(r, tensor, 0, (uint64_t)i, (uint64_t)(d->b - d->a));
    case IVL_DRAW_CONST: return d->a;
    default: break;
    }
    double std = d->a == 0 && d->b == 0 ? 1 : d->b;
    return d->a + std * ivl_rng_normal(r, tensor, 0, (uint64_t)i);
}

/* Memory for t, whose dtype and shape are set: sets its place and fills it with 0xff. */
static ivl_status place(ivl_tensor *t, int64_t gap, ivl_case_memory *m)
{
    t->pitch = ivl_cols(t) + gap;
    int block = ivl_dtype_block(t->dtype);
    t->off = GUARD / (int64_t)ivl_dtype_bytes(t->dtype, block) * block + (gap ? MISALIGN : 0);
    m->bytes = 2 * GUARD + ivl_dtype_bytes(t->dtype, ivl_rows(t) * t->pitch + (block > 1 ? 0 : MISALIGN));
    m->image = malloc(m->bytes);
    IVL_CHECK(m->image, IVL_ENOMEM, "out of memory for a tensor of %zu bytes", m->bytes);
    memset(m->image, 0xff, m->bytes);
    t->buf.host = m->image;
    t->buf.bytes = m->bytes;
    return IVL_OK;
}

/* Row i of t becomes v. */
static void store_row(const ivl_tensor *t, int64_t i, const double *v)
{
    int64_t at = t->off + i * t->pitch, cols = ivl_cols(t);
    float x[IVL_QUANT_BLOCK];
    if (ivl_dtype_block(t->dtype) == 1)
        for (int64_t j = 0; j < cols; j++) ivl_store(t->buf.host, t->dtype, at + j, v[j]);
    else
        for (int64_t j = 0; j < cols; j += IVL_QUANT_BLOCK) {
            for (int k = 0; k < IVL_QUANT_BLOCK; k++) x[k] = (float)v[j + k];
            ivl_quantise((char *)t->buf.host + ivl_dtype_bytes(t->dtype, at + j), t->dtype, x, IVL_QUANT_BLOCK);
        }
}

/* Values, or (values NULL) drawn ones. */
static void fill_rows(const ivl_tensor *t, const ivl_draw *d, const char *name, uint32_t which, const double *values)
{
    ivl_rng r = ivl_rng_make(1, name);
    int64_t rows = ivl_rows(t), cols = ivl_cols(t);
    double *v = malloc((size_t)(cols + 1) * sizeof *v);
    if (!v) abort();
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < cols; j++) v[j] = values ? values[i * cols + j] : draw(d, r, which, i * cols + j);
        store_row(t, i, v);
    }
    free(v);
}

void ivl_case_fill(const ivl_tensor *t, const ivl_draw *d, const char *name, uint32_t which)
{
    fill_rows(t, d, name, which, NULL);
}

static ivl_status make_inputs(const ivl_case *c, ivl_dtype t, double *const *values, ivl_case_node *cn)
{
    for (int i = 0; i < c->n_in; i++) {
        const ivl_case_tensor *d = &c->in[i];
        cn->n.in[i] = IVL_NONE;
        if (d->role == IVL_ROLE_ABSENT) continue;
        cn->x[i] = ivl_tensor_make(role_dtype(d->role, t), d->rank, d->dim);
        IVL_TRY(place(&cn->x[i], d->gap, &cn->mx[i]));
        fill_rows(&cn->x[i], &d->draw, c->name, (uint32_t)i, values ? values[i] : NULL);
        cn->n.in[i] = (ivl_val){ i };
        cn->n.x[i] = &cn->x[i];
    }
    return IVL_OK;
}

static ivl_status make_outputs(const ivl_case *c, ivl_dtype t, double *const *old, ivl_case_node *cn)
{
    for (int i = 0; i < c->n_out; i++) {
        const ivl_case_tensor *d = &c->out[i];
        cn->n.out[i] = IVL_NONE;
        if (d->role == IVL_ROLE_ABSENT) continue;
        if (d->role != IVL_ROLE_INFER) cn->y[i] = ivl_tensor_make(role_dtype(d->role, t), d->rank, d->dim);
        cn->n.out[i] = (ivl_val){ OLD + i };
        cn->n.y[i] = &cn->y[i];
    }
    IVL_TRY(ivl_op_get(c->op)->infer(&cn->n));
    for (int i = 0; i < c->n_out; i++) {
        if (!cn->n.y[i]) continue;
        IVL_CHECK(cn->y[i].pitch, IVL_EINVAL, "%s: infer left output %d without a shape",
                  ivl_op_get(c->op)->name, i);
        IVL_TRY(place(&cn->y[i], c->out[i].gap, &cn->my[i]));
        if (c->add_mask >> i & 1)
            fill_rows(&cn->y[i], &c->out[i].draw, c->name, OLD + (uint32_t)i, old ? old[i] : NULL);
    }
    return IVL_OK;
}

ivl_status ivl_case_node_create(const ivl_case *c, ivl_dtype t, double *const *values, double *const *old,
                                ivl_case_node **cn_p)
{
    ivl_case_node *cn = calloc(1, sizeof *cn);
    void *attr = malloc(c->attr_bytes + 1);
    if (!cn || !attr) {
        free(cn), free(attr);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    if (c->attr_bytes) memcpy(attr, c->attr, c->attr_bytes);
    if (c->set_dtype) c->set_dtype(attr, t);
    cn->attr = attr;
    cn->n.op = c->op, cn->n.n_in = c->n_in, cn->n.n_out = c->n_out;
    cn->n.attr = c->attr_bytes ? attr : NULL, cn->n.attr_bytes = c->attr_bytes;
    cn->n.add_mask = c->add_mask;
    ivl_status s = make_inputs(c, t, values, cn);
    if (s == IVL_OK) s = make_outputs(c, t, old, cn);
    if (s != IVL_OK) {
        ivl_case_node_destroy(cn);
        return s;
    }
    *cn_p = cn;
    return IVL_OK;
}

static void release(ivl_case_memory *m)
{
    ivl_release(m->buf);
    free(m->image);
}

void ivl_case_node_destroy(ivl_case_node *cn)
{
    if (!cn) return;
    for (int i = 0; i < IVL_MAX_IN; i++) release(&cn->mx[i]);
    for (int i = 0; i < IVL_MAX_OUT; i++) release(&cn->my[i]);
    free(cn->attr), free(cn);
}

static ivl_status upload(ivl_tensor *t, ivl_case_memory *m, ivl_stream *s)
{
    if (!m->image) return IVL_OK;
    if (!m->buf.handle) {
        IVL_TRY(ivl_alloc(s->dev, IVL_MEM_DEVICE, m->bytes, &m->buf));
        t->buf = m->buf;
    }
    return ivl_write(s, m->buf, 0, m->bytes, m->image);
}

ivl_status ivl_case_node_upload(ivl_case_node *cn, ivl_stream *s)
{
    for (int i = 0; i < cn->n.n_in; i++) IVL_TRY(upload(&cn->x[i], &cn->mx[i], s));
    for (int i = 0; i < cn->n.n_out; i++) IVL_TRY(upload(&cn->y[i], &cn->my[i], s));
    return IVL_OK;
}

const ivl_impl *ivl_case_impl(ivl_device *dev, const ivl_node *n, int i, bool *fits_p)
{
    const ivl_op_desc *d = ivl_op_get(n->op);
    const ivl_backend *b = dev->backend;
    const ivl_impl *impl = NULL;
    int own = 0;
    if (i < d->n_impls) impl = &d->impls[i];
    for (int j = 0; !impl && j < b->n_impls; j++)
        if ((b->impls[j].op == n->op || b->impls[j].op < 0) && d->n_impls + own++ == i) impl = &b->impls[j];
    if (impl) *fits_p = !impl->fits || impl->fits(ivl_device_caps(dev), n);
    return impl;
}

void ivl_case_params(ivl_device *dev, const ivl_node *n, const ivl_impl *impl, int *param)
{
    memset(param, 0, IVL_MAX_PARAM * sizeof *param);
    if (impl->space && impl->space->defaults) impl->space->defaults(ivl_device_caps(dev), n, param);
}

ivl_status ivl_case_forward(int op, const ivl_tensor *const *x, int n_in, const ivl_tensor *const *y,
                            int n_out, const void *attr, size_t attr_bytes)
{
    ivl_node n = { .op = op, .n_in = n_in, .n_out = n_out, .attr = attr, .attr_bytes = attr_bytes };
    ivl_tensor out[IVL_MAX_OUT] = { 0 };
    void *unwanted[IVL_MAX_OUT] = { 0 };
    for (int i = 0; i < n_in; i++) n.x[i] = x[i], n.in[i] = x[i] ? (ivl_val){ i } : IVL_NONE;
    for (int i = 0; i < n_out; i++) {
        n.out[i] = (ivl_val){ OLD + i };
        n.y[i] = &out[i];
        if (y[i]) out[i] = *y[i];
    }
    ivl_status s = ivl_op_get(op)->infer(&n);
    for (int i = 0; i < n_out && s == IVL_OK; i++)
        if (!y[i]) {
            unwanted[i] = out[i].buf.host = malloc(ivl_dtype_bytes(out[i].dtype, ivl_numel(&out[i])) + 1);
            if (!unwanted[i]) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        }
    if (s == IVL_OK) s = ivl_op_get(op)->ref64(&n);
    for (int i = 0; i < n_out; i++) free(unwanted[i]);
    return s;
}
