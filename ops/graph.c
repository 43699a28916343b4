/* Recording: values and nodes in the order of the program. Values and nodes are allocated one by one, so
 * pointers to them stay valid while the graph grows. */
#include "ops/graph.h"

#include <stdlib.h>
#include <string.h>

ivl_status ivl_graph_create(ivl_graph **g_p)
{
    ivl_graph *g = calloc(1, sizeof *g);
    IVL_CHECK(g, IVL_ENOMEM, "out of memory");
    *g_p = g;
    return IVL_OK;
}

void ivl_graph_destroy(ivl_graph *g)
{
    if (!g) return;
    for (int i = 0; i < g->n_value; i++) free(g->value[i]);
    for (int i = 0; i < g->n_node; i++) {
        free((void *)(uintptr_t)g->node[i]->attr);
        free(g->node[i]);
    }
    free(g->value), free(g->node), free(g);
}

ivl_status ivl_graph_status(const ivl_graph *g)
{
    IVL_CHECK(g->status == IVL_OK, g->status, "%s", g->error);
    return IVL_OK;
}

ivl_val ivl_graph_failed(ivl_graph *g, ivl_status s)
{
    if (g->status == IVL_OK) {
        g->status = s;
        snprintf(g->error, sizeof g->error, "%s", ivl_last_error());
    }
    return IVL_NONE;
}

ivl_value *ivl_value_of(const ivl_graph *g, ivl_val v)
{
    return v.id >= 0 && v.id < g->n_value ? g->value[v.id] : NULL;
}

const ivl_tensor *ivl_tensor_of(const ivl_graph *g, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    return p ? &p->t : NULL;
}

/* Room for one more pointer in a growing array. */
static bool grow(void *array_p, int n, int *cap)
{
    if (n < *cap) return true;
    int c = *cap ? *cap * 2 : 64;
    void **array = array_p, *p = realloc(*array, (size_t)c * sizeof(void *));
    if (!p) return false;
    *array = p, *cap = c;
    return true;
}

ivl_value *ivl_value_new(ivl_graph *g, ivl_kind kind, const ivl_tensor *t, const char *name, ivl_val *v_p)
{
    ivl_value *v = grow(&g->value, g->n_value, &g->cap_value) ? calloc(1, sizeof *v) : NULL;
    if (!v) {
        ivl_graph_failed(g, ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory while recording"));
        return NULL;
    }
    if (t) v->t = *t;
    snprintf(v->name, sizeof v->name, "%s", name ? name : "");
    v->t.name = v->name;
    v->kind = kind;
    v->root = v->origin = g->n_value;
    v->def = v->twin = v->grad = -1;
    v->block = g->block;
    g->value[g->n_value] = v;
    *v_p = (ivl_val){ g->n_value++ };
    return v;
}

ivl_val ivl_input(ivl_graph *g, const char *name, ivl_dtype dtype, int rank, const int64_t *dim)
{
    ivl_val v = IVL_NONE;
    ivl_tensor t = ivl_tensor_make(dtype, rank, dim);
    if (g->status == IVL_OK) ivl_value_new(g, IVL_INPUT, &t, name, &v);
    return v;
}

static bool same_extern(const ivl_value *v, const ivl_tensor *t)
{
    if (v->kind != IVL_EXTERN || v->t.dtype != t->dtype) return false;
    if (t->buf.handle || t->buf.host)
        return v->t.buf.handle == t->buf.handle && v->t.buf.host == t->buf.host && v->t.off == t->off &&
               ivl_numel(&v->t) == ivl_numel(t);
    return t->name && !strcmp(v->name, t->name) && ivl_numel(&v->t) == ivl_numel(t);
}

static ivl_val extern_value(ivl_graph *g, const ivl_tensor *t)
{
    for (int i = 0; i < g->n_value; i++)
        if (same_extern(g->value[i], t)) return (ivl_val){ i };
    ivl_val v = IVL_NONE;
    ivl_value_new(g, IVL_EXTERN, t, t->name, &v);
    return v;
}

ivl_val ivl_extern(ivl_graph *g, const ivl_tensor *value, const ivl_tensor *grad)
{
    if (g->status != IVL_OK) return IVL_NONE;
    ivl_val v = extern_value(g, value);
    ivl_value *p = ivl_value_of(g, v);
    if (p && grad && p->grad < 0) {
        ivl_val d = extern_value(g, grad);
        p->grad = d.id;
        p->needs = true;
    }
    return v;
}

ivl_val ivl_keep(ivl_graph *g, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    if (p) p->keep = g->value[p->root]->keep = true;
    return v;
}

void ivl_want_grad(ivl_graph *g, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    if (p) g->value[p->root]->want = g->value[p->root]->needs = p->needs = true;
}

void ivl_block_begin(ivl_graph *g) { g->block = ++g->n_blocks; }
void ivl_block_end(ivl_graph *g) { g->block = 0; }

static ivl_status link_inputs(ivl_graph *g, ivl_node *n, const ivl_val *in)
{
    for (int i = 0; i < n->n_in; i++) {
        ivl_value *v = ivl_value_of(g, in[i]);
        n->in[i] = v ? in[i] : IVL_NONE;
        n->x[i] = v ? &v->t : NULL;
    }
    for (int i = n->n_in; i < IVL_MAX_IN; i++) n->in[i] = IVL_NONE;
    for (int i = 0; i < IVL_MAX_OUT; i++) n->out[i] = IVL_NONE;
    return IVL_OK;
}

/* A node of the graph with its inputs and attributes; outputs follow. */
static ivl_status node_new(ivl_graph *g, int op, const ivl_val *in, int n_in, const void *attr, size_t bytes,
                           ivl_node **node_p)
{
    const ivl_op_desc *d = ivl_op_get(op);
    IVL_CHECK(d, IVL_EINVAL, "op %d is not known", op);
    IVL_CHECK(n_in <= IVL_MAX_IN, IVL_EINVAL, "%s: more than %d inputs", d->name, IVL_MAX_IN);
    IVL_CHECK(grow(&g->node, g->n_node, &g->cap_node), IVL_ENOMEM, "out of memory while recording");
    ivl_node *n = calloc(1, sizeof *n);
    void *a = bytes ? malloc(bytes) : NULL;
    if (!n || (bytes && !a)) {
        free(n), free(a);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory while recording");
    }
    if (a) memcpy(a, attr, bytes);
    n->op = op, n->n_in = n_in, n->attr = a, n->attr_bytes = bytes, n->block = g->block;
    g->node[g->n_node++] = n;
    *node_p = n;
    return link_inputs(g, n, in);
}

static void set_output(ivl_graph *g, ivl_node *n, int i, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    n->out[i] = p ? v : IVL_NONE;
    n->y[i] = p ? &p->t : NULL;
}

ivl_status ivl_node_append(ivl_graph *g, int op, const ivl_val *in, int n_in, const ivl_val *out, int n_out,
                           const void *attr, size_t bytes, uint16_t add_mask, ivl_node **node_p)
{
    ivl_node *n;
    IVL_TRY(node_new(g, op, in, n_in, attr, bytes, &n));
    n->n_out = n_out, n->add_mask = add_mask;
    for (int i = 0; i < n_out; i++) set_output(g, n, i, out[i]);
    if (node_p) *node_p = n;
    return ivl_op_get(op)->infer(n);
}

ivl_val ivl_record(ivl_graph *g, int op, const ivl_val *in, int n_in, int n_out, const void *attr, size_t bytes,
                   ivl_val *out)
{
    ivl_node *n = NULL;
    ivl_val v[IVL_MAX_OUT];
    for (int i = 0; i < IVL_MAX_OUT; i++) {
        v[i] = IVL_NONE;
        if (out) out[i] = IVL_NONE;
    }
    if (g->status != IVL_OK) return IVL_NONE;
    ivl_status s = node_new(g, op, in, n_in, attr, bytes, &n);
    const ivl_op_desc *d = ivl_op_get(op);
    bool needs = false;
    for (int i = 0; s == IVL_OK && i < n_in; i++) needs |= n->x[i] && g->value[n->in[i].id]->needs;
    for (int i = 0; s == IVL_OK && i < n_out; i++) {
        ivl_value *p = ivl_value_new(g, IVL_TEMP, NULL, d->name, &v[i]);
        if (!p) return IVL_NONE;
        p->def = g->n_node - 1;
        p->needs = needs && d->grad;
        set_output(g, n, i, v[i]);
    }
    if (n) n->n_out = n_out;
    if (s == IVL_OK) s = d->infer(n);
    if (s != IVL_OK) return ivl_graph_failed(g, s);
    for (int i = 0; out && i < n_out; i++) out[i] = v[i];
    return v[0];
}

static ivl_val view(ivl_graph *g, ivl_val x, const ivl_tensor *t)
{
    ivl_val v = IVL_NONE;
    ivl_value *px = ivl_value_of(g, x), *p = ivl_value_new(g, IVL_VIEW, t, px->name, &v);
    if (!p) return IVL_NONE;
    p->root = px->root;
    p->needs = px->needs;
    p->def = px->def;
    return v;
}

ivl_val ivl_columns(ivl_graph *g, ivl_val x, int64_t first, int64_t n)
{
    if (g->status != IVL_OK) return IVL_NONE;
    const ivl_tensor *tx = ivl_tensor_of(g, x);
    if (!tx || tx->rank < 1 || n < 1 || first < 0 || first + n > ivl_cols(tx)) {
        char text[96];
        return ivl_graph_failed(g, ivl_fail(IVL_ESHAPE, __FILE__, __LINE__, "columns: no %lld from %lld in %s",
                                            (long long)n, (long long)first,
                                            tx ? ivl_tensor_text(tx, text, sizeof text) : "nothing"));
    }
    ivl_tensor t = *tx;
    t.dim[t.rank - 1] = n;
    t.off = (ivl_value_of(g, x)->kind == IVL_VIEW ? tx->off : 0) + first;
    t.buf = (ivl_buffer){ 0 };
    return view(g, x, &t);
}

ivl_val ivl_slice(ivl_graph *g, ivl_val x, int i, int n)
{
    const ivl_tensor *tx = ivl_tensor_of(g, x);
    if (tx && tx->rank > 0 && n > 0 && n <= 64 && i >= 0 && i < n && ivl_cols(tx) % n == 0)
        return ivl_columns(g, x, ivl_cols(tx) / n * i, ivl_cols(tx) / n);
    char text[96];
    if (g->status != IVL_OK) return IVL_NONE;
    return ivl_graph_failed(g, ivl_fail(IVL_ESHAPE, __FILE__, __LINE__,
                                        "slice: no part %d of %d of the last axis of %s", i, n,
                                        tx ? ivl_tensor_text(tx, text, sizeof text) : "nothing"));
}

ivl_val ivl_samples(ivl_graph *g, ivl_val x, int64_t first, int64_t n)
{
    if (g->status != IVL_OK) return IVL_NONE;
    const ivl_tensor *tx = ivl_tensor_of(g, x);
    if (!tx || tx->rank < 1 || !ivl_contiguous(tx) || n < 1 || first < 0 || first + n > tx->dim[0]) {
        char text[96];
        return ivl_graph_failed(g, ivl_fail(IVL_ESHAPE, __FILE__, __LINE__, "samples: no %lld from %lld of %s",
                                            (long long)n, (long long)first,
                                            tx ? ivl_tensor_text(tx, text, sizeof text) : "nothing"));
    }
    ivl_tensor t = *tx;
    t.off = (ivl_value_of(g, x)->kind == IVL_VIEW ? tx->off : 0) + first * (ivl_numel(tx) / tx->dim[0]);
    t.dim[0] = n;
    t.buf = (ivl_buffer){ 0 };
    return view(g, x, &t);
}

ivl_val ivl_reshape(ivl_graph *g, ivl_val x, int rank, const int64_t *dim)
{
    if (g->status != IVL_OK) return IVL_NONE;
    const ivl_tensor *tx = ivl_tensor_of(g, x);
    ivl_tensor t = ivl_tensor_make(tx ? tx->dtype : IVL_F32, rank, dim);
    if (!tx || !ivl_contiguous(tx) || ivl_numel(tx) != ivl_numel(&t)) {
        char a[96], b[96];
        return ivl_graph_failed(g, ivl_fail(IVL_ESHAPE, __FILE__, __LINE__, "reshape: %s cannot become %s",
                                            tx ? ivl_tensor_text(tx, a, sizeof a) : "nothing",
                                            ivl_tensor_text(&t, b, sizeof b)));
    }
    t.off = ivl_value_of(g, x)->kind == IVL_VIEW ? tx->off : 0;
    return view(g, x, &t);
}

ivl_val ivl_row(ivl_graph *g, ivl_val x, int64_t i)
{
    if (g->status != IVL_OK) return IVL_NONE;
    const ivl_value *px = ivl_value_of(g, x);
    if (!px || px->needs || px->t.rank < 1 || !ivl_contiguous(&px->t) || i < 0 || i >= px->t.dim[0]) {
        char text[96];
        return ivl_graph_failed(g, ivl_fail(IVL_ESHAPE, __FILE__, __LINE__, "row: no row %lld of %s", (long long)i,
                                            px ? ivl_tensor_text(&px->t, text, sizeof text) : "nothing"));
    }
    ivl_tensor t = ivl_tensor_make(px->t.dtype, px->t.rank - 1, px->t.dim + 1);
    t.off = (px->kind == IVL_VIEW ? px->t.off : 0) + i * ivl_numel(&t);
    return view(g, x, &t);
}
