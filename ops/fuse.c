/* Fusion: a table of patterns over neighbouring steps. The model never names a fused op; a value that others
 * still read becomes an extra output of the fused one. Fused and unfused give the same bits. */
#include "ops/plan.h"

#include <stdlib.h>
#include <string.h>

void ivl_drop_dead(ivl_plan *p)
{
    bool *read = calloc((size_t)p->n_value, 1); /* by root */
    if (!read) return;
    int kept = p->n_step;
    for (int i = p->n_step - 1; i >= 0; i--) {
        ivl_node *n = &p->step[i].n;
        bool live = false;
        for (int j = 0; j < n->n_in; j++) live |= n->in[j].id >= 0 && (ivl_op_get(n->op)->mutates >> j & 1);
        for (int j = 0; j < n->n_out; j++) {
            if (n->out[j].id < 0) continue;
            const ivl_value *root = p->graph->value[p->graph->value[n->out[j].id]->root];
            live |= root->keep || root->kind == IVL_EXTERN || read[p->graph->value[n->out[j].id]->root];
        }
        if (!live) continue;
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j].id >= 0) read[p->graph->value[n->in[j].id]->root] = true;
        p->step[--kept] = p->step[i];
    }
    memmove(p->step, p->step + kept, (size_t)(p->n_step - kept) * sizeof *p->step);
    p->n_step -= kept;
    free(read);
}

/* Reads of v (as itself or through views) among the steps, apart from step `except`. */
static int other_readers(const ivl_plan *p, ivl_val v, int except)
{
    int n = p->graph->value[v.id]->keep;
    for (int i = 0; i < p->n_step; i++)
        for (int j = 0; j < p->step[i].n.n_in && i != except; j++) {
            ivl_val x = p->step[i].n.in[j];
            n += x.id >= 0 && p->graph->value[x.id]->root == v.id;
        }
    return n;
}

/* True if v exists before step i. */
static bool defined_before(const ivl_plan *p, ivl_val v, int i)
{
    if (v.id < 0) return true;
    int32_t root = p->graph->value[v.id]->root;
    for (int k = i; k < p->n_step; k++)
        for (int j = 0; j < p->step[k].n.n_out; j++) {
            ivl_val y = p->step[k].n.out[j];
            if (y.id >= 0 && p->graph->value[y.id]->root == root) return false;
        }
    return true;
}

static void become(ivl_plan *p, ivl_step *s, int op, const ivl_val *in, int n_in, ivl_val y, ivl_val z)
{
    s->n.op = op, s->n.n_in = n_in, s->n.n_out = 2, s->n.add_mask = 0;
    for (int i = 0; i < IVL_MAX_IN; i++) s->n.in[i] = i < n_in ? in[i] : IVL_NONE;
    for (int i = 0; i < IVL_MAX_OUT; i++) s->n.out[i] = IVL_NONE;
    s->n.out[0] = y, s->n.out[1] = z;
    ivl_step_link(p, s);
}

static bool linear_gelu(ivl_plan *p, int i, int j)
{
    ivl_node *a = &p->step[i].n, *b = &p->step[j].n;
    ivl_val in[] = { a->in[0], a->in[1], a->n_in > 2 ? a->in[2] : IVL_NONE };
    ivl_val z = other_readers(p, a->out[0], j) ? a->out[0] : IVL_NONE;
    become(p, &p->step[i], IVL_OP_linear_gelu, in, 3, b->out[0], z);
    return true;
}

static bool linear_residual(ivl_plan *p, int i, int j)
{
    ivl_node *a = &p->step[i].n, *b = &p->step[j].n;
    if (b->in[0].id == a->out[0].id) return false;
    for (int k = 0; k < b->n_in; k++)
        if (k != 1 && !defined_before(p, b->in[k], i)) return false;
    ivl_val in[] = { a->in[0], a->in[1], a->n_in > 2 ? a->in[2] : IVL_NONE, b->in[0],
                     b->n_in > 2 ? b->in[2] : IVL_NONE, b->n_in > 3 ? b->in[3] : IVL_NONE };
    ivl_val z = other_readers(p, a->out[0], j) ? a->out[0] : IVL_NONE;
    become(p, &p->step[i], IVL_OP_linear_residual, in, 6, b->out[0], z);
    return true;
}

/* first's output 0 is input `at` of second; apply rewrites step i (first); step j (second) then goes. */
static const struct pattern {
    int first, second, at, fused;
    bool (*apply)(ivl_plan *p, int i, int j);
} patterns[] = {
    { IVL_OP_linear, IVL_OP_gelu, 0, IVL_OP_linear_gelu, linear_gelu },
    { IVL_OP_linear, IVL_OP_residual, 1, IVL_OP_linear_residual, linear_residual },
};

static bool matches(const ivl_plan *p, const struct pattern *t, int i, int j)
{
    const ivl_node *a = &p->step[i].n, *b = &p->step[j].n;
    return a->op == t->first && b->op == t->second && b->in[t->at].id >= 0 && b->in[t->at].id == a->out[0].id &&
           !a->add_mask && !b->add_mask && ivl_op_get(t->fused) &&
           p->graph->value[a->out[0].id]->kind == IVL_TEMP && p->graph->value[b->out[0].id]->kind == IVL_TEMP;
}

static void fuse_from(ivl_plan *p, int i)
{
    for (int j = i + 1; j < p->n_step && j < i + 4; j++)
        for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++)
            if (matches(p, &patterns[k], i, j) && patterns[k].apply(p, i, j)) {
                memmove(&p->step[j], &p->step[j + 1], (size_t)(p->n_step - j - 1) * sizeof *p->step);
                p->n_step--;
                return;
            }
}

/* --- products of few rows: rms_norm, up to three linears of one x, silu_mul -> linears ------------------------- */

enum { FEW_ROWS = 8 };

static int readers(const ivl_plan *p, ivl_val v) { return v.id < 0 ? 0 : other_readers(p, v, -1); }

static bool same_kind(const ivl_node *a, const ivl_node *b)
{
    return b->op == IVL_OP_linear && b->in[0].id == a->in[0].id && !b->add_mask && b->x[1]->dtype == a->x[1]->dtype;
}

/* Linears from step i on that share x. */
static int count_linears(const ivl_plan *p, int i)
{
    int n = 0;
    const ivl_node *a = &p->step[i].n;
    if (a->op != IVL_OP_linear || ivl_rows(a->x[0]) > FEW_ROWS) return 0;
    while (n < IVL_LINEARS && i + n < p->n_step && same_kind(a, &p->step[i + n].n)) n++;
    return n;
}

/* Does step i gate the outputs of the two linears before it, and nothing else reads them? */
static bool is_gate(const ivl_plan *p, int i)
{
    if (i >= p->n_step || p->step[i].n.op != IVL_OP_silu_mul) return false;
    const ivl_node *s = &p->step[i].n, *gate = &p->step[i - 2].n, *up = &p->step[i - 1].n;
    return s->in[0].id == gate->out[0].id && s->in[1].id == up->out[0].id && readers(p, s->in[0]) == 1 &&
           readers(p, s->in[1]) == 1 && !gate->x[2] && !up->x[2] && !s->add_mask;
}

/* Is step i a norm whose only readers are n linears? */
static bool is_norm(const ivl_plan *p, int i, ivl_val x, int n)
{
    const ivl_node *s = i >= 0 ? &p->step[i].n : NULL;
    return s && s->op == IVL_OP_rms_norm && s->out[0].id == x.id && readers(p, x) == n && !readers(p, s->out[1]);
}

static void remove_steps(ivl_plan *p, int i, int n)
{
    memmove(&p->step[i], &p->step[i + n], (size_t)(p->n_step - i - n) * sizeof *p->step);
    p->n_step -= n;
}

/* Where there is more than one step to fuse. */
static void fuse_linears(ivl_plan *p, int i)
{
    int n = count_linears(p, i);
    if (!n) return;
    bool gated = n == 2 && is_gate(p, i + 2), norm = is_norm(p, i - 1, p->step[i].n.in[0], n);
    int first = norm ? i - 1 : i, steps = norm + n + gated;
    ivl_linears_attr *a = &p->linears[first];
    if (steps < 2) return;
    ivl_node f = p->step[i].n;
    const ivl_node *before = &p->step[first].n;
    *a = (ivl_linears_attr){ n, gated, norm, norm ? ((const ivl_norm_attr *)before->attr)->eps : 0 };
    f.op = IVL_OP_linears, f.attr = a, f.attr_bytes = sizeof *a;
    f.in[0] = before->in[0], f.in[1] = norm ? before->in[1] : IVL_NONE;
    f.n_in = 2 + 2 * n, f.n_out = gated ? 1 : n;
    for (int j = 0; j < n; j++) {
        const ivl_node *l = &p->step[i + j].n;
        f.in[2 + 2 * j] = l->in[1], f.in[3 + 2 * j] = l->n_in > 2 ? l->in[2] : IVL_NONE;
        f.out[j] = l->out[0];
    }
    if (gated) f.out[0] = p->step[i + 2].n.out[0];
    p->step[first].n = f;
    ivl_step_link(p, &p->step[first]);
    remove_steps(p, first + 1, steps - 1);
}

void ivl_fuse(ivl_plan *p)
{
    for (int i = 0; i < p->n_step; i++) fuse_from(p, i);
    for (int i = 0; i < p->n_step; i++) fuse_linears(p, i);
}
