/* The backward pass: walk the nodes in reverse and let each op record its gradient ops. Per gradient the first
 * writer assigns and later ones add. Gradients of a slice are slices of the parent's gradient; a passed-on
 * gradient is shared until somebody adds to it. Nodes of a recompute block are recorded again before their
 * gradients, and the gradients read the copies ("twins"). */
#include "ops/graph.h"

#include <string.h>

static ivl_value *origin_root(const ivl_graph *g, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    return p ? g->value[g->value[p->origin]->root] : NULL;
}

/* The gradient buffer seen with the shape of v (a slice, or the whole). */
static ivl_val grad_view(ivl_graph *g, ivl_val v, int32_t grad)
{
    ivl_value *p = g->value[ivl_value_of(g, v)->origin], *pg = g->value[grad];
    ivl_val out = { grad };
    if (p->kind != IVL_VIEW && ivl_same_shape(&p->t, &pg->t)) return out;
    ivl_tensor t = p->t;
    t.dtype = pg->t.dtype;
    t.off = p->kind == IVL_VIEW ? p->t.off : 0;
    t.buf = (ivl_buffer){ 0 };
    ivl_value *view = ivl_value_new(g, IVL_VIEW, &t, pg->name, &out);
    if (view) view->root = pg->root;
    return out;
}

static ivl_status zero(ivl_graph *g, ivl_val v)
{
    ivl_fill_attr a = { 0 };
    return ivl_node_append(g, IVL_OP_fill, NULL, 0, &v, 1, &a, sizeof a, 0, NULL);
}

/* Slices not written yet become zero, then the whole counts as written. */
static ivl_status complete(ivl_graph *g, ivl_value *root)
{
    if (root->written != IVL_PARTS) return IVL_OK;
    ivl_val grad = { root->grad };
    for (int i = 0; i < root->parts; i++)
        if (!(root->mask >> i & 1)) {
            ivl_val part = ivl_slice(g, grad, i, root->parts);
            IVL_TRY(ivl_graph_status(g));
            IVL_TRY(zero(g, part));
        }
    root->written = IVL_ALL;
    return IVL_OK;
}

ivl_val ivl_grad(const ivl_graph *cg, ivl_val v)
{
    ivl_graph *g = (ivl_graph *)(uintptr_t)cg; /* completing slices records */
    ivl_value *root = origin_root(g, v);
    if (!root || root->grad < 0 || g->status != IVL_OK) return IVL_NONE;
    if (root->kind == IVL_EXTERN) return (ivl_val){ root->grad };
    ivl_value *p = g->value[ivl_value_of(g, v)->origin];
    bool part_only = root->written == IVL_PARTS && p->kind == IVL_VIEW && ivl_numel(&p->t) < ivl_numel(&root->t);
    if (!part_only) {
        ivl_status s = complete(g, root);
        if (s != IVL_OK) return ivl_graph_failed(g, s);
    }
    return grad_view(g, v, root->grad);
}

/* Another value whose gradient this buffer also is, and which is still to be read: by the node being walked, which must
 * not add to what it reads, or by an earlier one. */
static bool shared(const ivl_graph *g, const ivl_value *root)
{
    const ivl_value *grad = g->value[root->grad];
    if (grad->kind != IVL_TEMP || grad->def >= 0) return true; /* a seed */
    for (int i = 0; i < g->n_value; i++) {
        const ivl_value *v = g->value[i];
        if (v != root && v->root == i && v->grad == root->grad && (v->want || v->def <= g->walk)) return true;
    }
    return false;
}

static ivl_status new_grad(ivl_graph *g, ivl_value *root)
{
    ivl_tensor t = ivl_tensor_make(root->t.dtype, root->t.rank, root->t.dim);
    char name[64];
    snprintf(name, sizeof name, "d %.60s", root->name);
    ivl_val v;
    IVL_CHECK(ivl_value_new(g, IVL_TEMP, &t, name, &v), IVL_ENOMEM, "out of memory while recording");
    g->value[v.id]->keep = root->want;
    root->grad = v.id;
    return IVL_OK;
}

static ivl_status unshare(ivl_graph *g, ivl_value *root)
{
    ivl_val old = { root->grad };
    ivl_cast_attr a = { root->t.dtype };
    IVL_TRY(new_grad(g, root));
    return ivl_node_append(g, IVL_OP_cast, &old, 1, &(ivl_val){ root->grad }, 1, &a, sizeof a, 0, NULL);
}

/* v is one of equal column parts of its root; at counts them. */
static bool is_part(const ivl_value *root, const ivl_value *p, int *parts_p, int *at_p)
{
    int64_t cols = ivl_cols(&p->t), all = ivl_cols(&root->t), parts = all / cols;
    if (p->t.pitch != all || all % cols || p->t.off % cols || p->t.off >= all || parts > 64) return false;
    *parts_p = (int)parts, *at_p = (int)(p->t.off / cols);
    return ivl_rows(&p->t) == ivl_rows(&root->t);
}

/* Where the gradient of v is written, and whether it is added there. */
static ivl_status target(ivl_graph *g, ivl_val v, ivl_val *out_p, bool *add_p)
{
    ivl_value *p = g->value[ivl_value_of(g, v)->origin], *root = g->value[p->root];
    bool whole = ivl_numel(&p->t) == ivl_numel(&root->t);
    int parts = 1, at = 0;
    if (root->kind == IVL_EXTERN) {
        if (g->accumulate) root->written = IVL_ALL;
    } else if (root->grad < 0) {
        IVL_TRY(new_grad(g, root));
    } else if (root->written != IVL_NOTHING && shared(g, root)) {
        IVL_TRY(unshare(g, root));
    }
    if (!whole && !is_part(root, p, &parts, &at)) { /* a slice of another shape: added to zeros */
        if (root->written == IVL_NOTHING) IVL_TRY(zero(g, (ivl_val){ root->grad }));
        IVL_TRY(complete(g, root));
        root->written = IVL_ALL;
    }
    if (root->written == IVL_PARTS && (whole || parts != root->parts)) IVL_TRY(complete(g, root));
    if (root->written == IVL_NOTHING && !whole) root->written = IVL_PARTS, root->parts = parts, root->mask = 0;
    *add_p = root->written == IVL_ALL || (root->written == IVL_PARTS && (root->mask >> at & 1));
    if (whole) root->written = IVL_ALL;
    else root->mask |= (uint64_t)1 << at;
    *out_p = grad_view(g, v, root->grad);
    return IVL_OK;
}

static bool wants(const ivl_graph *g, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    return p && g->value[p->origin]->needs;
}

ivl_status ivl_record_bwd(ivl_graph *g, int op, const ivl_val *in, int n_in, const ivl_val *to, int n_to,
                          const void *attr, size_t bytes)
{
    ivl_val out[IVL_MAX_OUT];
    uint16_t add_mask = 0;
    bool any = false;
    for (int i = 0; i < n_to; i++) {
        out[i] = IVL_NONE;
        if (!wants(g, to[i])) continue;
        bool add = false;
        IVL_TRY(target(g, to[i], &out[i], &add));
        add_mask |= (uint16_t)(add << i);
        any = true;
    }
    if (!any) return IVL_OK;
    IVL_TRY(ivl_graph_status(g));
    return ivl_node_append(g, op, in, n_in, out, n_to, attr, bytes, add_mask, NULL);
}

ivl_status ivl_pass_grad(ivl_graph *g, ivl_val from, ivl_val to)
{
    if (!wants(g, to)) return IVL_OK;
    ivl_value *pf = origin_root(g, from), *pt = origin_root(g, to), *p = g->value[ivl_value_of(g, to)->origin];
    ivl_val d = ivl_grad(g, from);
    IVL_TRY(ivl_graph_status(g));
    bool can_share = pt->kind == IVL_TEMP && p->kind != IVL_VIEW && pt->grad < 0 && !pt->want &&
                     ivl_value_of(g, from)->kind != IVL_VIEW && ivl_same_shape(&pt->t, &pf->t);
    if (can_share) {
        pt->grad = pf->grad;
        pt->written = IVL_ALL;
        return IVL_OK;
    }
    ivl_cast_attr a = { p->t.dtype };
    return ivl_record_bwd(g, IVL_OP_cast, &d, 1, &to, 1, &a, sizeof a);
}

/* --- recompute ------------------------------------------------------------------------------------ */

/* The value to read in place of v: its twin if v belongs to a block that was recorded again. */
static ivl_val reread(ivl_graph *g, ivl_val v)
{
    ivl_value *p = ivl_value_of(g, v);
    if (!p) return v;
    if (p->twin >= 0) return (ivl_val){ p->twin };
    ivl_value *root = g->value[p->root];
    if (p->kind != IVL_VIEW || root->twin < 0) return v;
    ivl_val out;
    ivl_tensor t = p->t;
    ivl_value *twin = ivl_value_new(g, IVL_VIEW, &t, p->name, &out);
    if (!twin) return IVL_NONE;
    twin->root = root->twin, twin->origin = v.id, twin->def = g->value[root->twin]->def;
    p->twin = out.id;
    return out;
}

static ivl_status record_again(ivl_graph *g, int block, int n_forward)
{
    for (int i = 0; i < n_forward; i++) {
        ivl_node *n = g->node[i];
        if (n->block != block) continue;
        ivl_val in[IVL_MAX_IN], out[IVL_MAX_OUT];
        for (int j = 0; j < n->n_in; j++) in[j] = reread(g, n->in[j]);
        for (int j = 0; j < n->n_out; j++) {
            ivl_value *p = ivl_value_of(g, n->out[j]), *twin = NULL;
            out[j] = IVL_NONE;
            if (p) twin = ivl_value_new(g, IVL_TEMP, &p->t, p->name, &out[j]);
            if (!twin) continue;
            twin->origin = n->out[j].id, twin->def = g->n_node;
            p->twin = out[j].id;
        }
        IVL_TRY(ivl_graph_status(g));
        IVL_TRY(ivl_node_append(g, n->op, in, n->n_in, out, n->n_out, n->attr, n->attr_bytes, 0, NULL));
    }
    return IVL_OK;
}

/* --- the walk ------------------------------------------------------------------------------------- */

static ivl_status seed(ivl_graph *g, const ivl_backward *b)
{
    for (int i = 0; i < b->n; i++) {
        ivl_value *root = origin_root(g, b->out[i]);
        IVL_CHECK(root, IVL_EINVAL, "backward: output %d does not exist", i);
        IVL_CHECK(root->grad < 0, IVL_EINVAL, "backward: output %d is given twice", i);
        if (b->seed && b->seed[i].id >= 0) {
            IVL_CHECK(ivl_numel(ivl_tensor_of(g, b->seed[i])) == ivl_numel(&root->t), IVL_ESHAPE,
                      "backward: seed %d has another size than its output", i);
            root->grad = b->seed[i].id;
        } else {
            ivl_fill_attr a = { 1 };
            IVL_TRY(new_grad(g, root));
            IVL_TRY(ivl_node_append(g, IVL_OP_fill, NULL, 0, &(ivl_val){ root->grad }, 1, &a, sizeof a, 0, NULL));
        }
        root->written = IVL_ALL;
    }
    return IVL_OK;
}

static bool contributes(const ivl_graph *g, const ivl_node *n)
{
    bool in = false, out = false;
    for (int i = 0; i < n->n_in; i++) in |= wants(g, n->in[i]);
    for (int i = 0; i < n->n_out; i++) {
        ivl_value *root = origin_root(g, n->out[i]);
        out |= root && root->grad >= 0;
    }
    return in && out && ivl_op_get(n->op)->grad;
}

static ivl_status walk_node(ivl_graph *g, int i, int n_forward, bool recompute)
{
    ivl_node n = *g->node[i];
    if (!contributes(g, &n)) return IVL_OK;
    g->walk = i;
    if (recompute && n.block) {
        bool again = false;
        for (int j = 0; j < n.n_out; j++) again |= n.y[j] && g->value[n.out[j].id]->twin < 0;
        if (again) IVL_TRY(record_again(g, n.block, n_forward));
        for (int j = 0; j < n.n_in; j++) n.in[j] = reread(g, n.in[j]), n.x[j] = ivl_tensor_of(g, n.in[j]);
        for (int j = 0; j < n.n_out; j++) {
            n.out[j] = reread(g, n.out[j]);
            n.y[j] = n.out[j].id >= 0 ? &g->value[n.out[j].id]->t : NULL;
        }
    }
    IVL_TRY(ivl_op_get(n.op)->grad(g, &n));
    return ivl_graph_status(g);
}

/* What is read after the walk is whole: parts nothing reached are 0, and so is the gradient of a parameter that
 * nothing reached. */
static ivl_status finish(ivl_graph *g, ivl_value *v)
{
    bool external = v->kind == IVL_EXTERN;
    if (v->grad < 0 || (!external && !v->want)) return IVL_OK;
    if (external && v->written == IVL_NOTHING && !g->accumulate) {
        v->written = IVL_ALL;
        return zero(g, (ivl_val){ v->grad });
    }
    return complete(g, v);
}

ivl_status ivl_graph_backward(ivl_graph *g, const ivl_backward *b)
{
    IVL_TRY(ivl_graph_status(g));
    IVL_CHECK(!g->in_backward, IVL_EINVAL, "backward: a graph has one backward pass");
    int n_forward = g->n_node;
    g->in_backward = true, g->accumulate = b->accumulate, g->block = 0, g->walk = n_forward;
    ivl_status s = seed(g, b);
    for (int i = n_forward - 1; i >= 0 && s == IVL_OK; i--)
        s = walk_node(g, i, n_forward, b->recompute == IVL_RECOMPUTE_BLOCKS);
    for (int i = 0, n = g->n_value; i < n && s == IVL_OK; i++) s = finish(g, g->value[i]);
    if (s != IVL_OK) ivl_graph_failed(g, s);
    return s;
}
