/* A plan: the graph's steps with implementations chosen, kernels built and memory laid out; running it only
 * enqueues. */
#include "ops/plan.h"

#include <stdlib.h>
#include <string.h>

void ivl_step_link(ivl_plan *p, ivl_step *s)
{
    for (int i = 0; i < IVL_MAX_IN; i++) {
        bool given = i < s->n.n_in && s->n.in[i].id >= 0;
        s->n.x[i] = given ? &p->t[s->n.in[i].id] : NULL;
    }
    for (int i = 0; i < IVL_MAX_OUT; i++) {
        bool wanted = i < s->n.n_out && s->n.out[i].id >= 0;
        s->n.y[i] = wanted ? &p->t[s->n.out[i].id] : NULL;
    }
}

static const ivl_value *value(const ivl_plan *p, int id) { return p->graph->value[id]; }
static int root_of(const ivl_plan *p, ivl_val v) { return value(p, v.id)->root; }

static ivl_status copy_graph(ivl_plan *p)
{
    const ivl_graph *g = p->graph;
    p->n_value = g->n_value, p->n_step = g->n_node;
    p->t = calloc((size_t)p->n_value + 1, sizeof *p->t);
    p->io_off = calloc((size_t)p->n_value + 1, sizeof *p->io_off);
    p->step = calloc((size_t)p->n_step + 1, sizeof *p->step);
    p->linears = calloc((size_t)p->n_step + 1, sizeof *p->linears);
    IVL_CHECK(p->t && p->io_off && p->step && p->linears, IVL_ENOMEM, "out of memory while planning");
    for (int i = 0; i < p->n_value; i++) p->t[i] = g->value[i]->t;
    for (int i = 0; i < p->n_step; i++) {
        p->step[i].n = *g->node[i];
        ivl_step_link(p, &p->step[i]);
    }
    return IVL_OK;
}

static ivl_status choose(ivl_plan *p, const char *force)
{
    ivl_quirks quirks;
    ivl_status status = IVL_OK;
    ivl_quirks_load(p->caps, &quirks);
    for (int i = 0; i < p->n_step; i++) {
        ivl_step *s = &p->step[i];
        status = ivl_choose_impl(p->backend, p->caps, &quirks, &s->n, force, &s->impl);
        if (status != IVL_OK) break;
        if (s->impl->space) s->impl->space->defaults(p->caps, &s->n, s->param);
        if (s->impl->scratch) s->scratch = s->impl->scratch(p->caps, &s->n);
    }
    ivl_quirks_free(&quirks);
    return status;
}

/* --- memory ------------------------------------------------------------------------------------------ */

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
static size_t alignment(const ivl_plan *p) { return p->caps->align > 64 ? p->caps->align : 64; }

static void touch(ivl_plan *p, ivl_val v, int step)
{
    if (v.id < 0) return;
    int r = root_of(p, v);
    ivl_mem_item *it = &p->item[r];
    if (value(p, r)->kind != IVL_TEMP) return;
    if (!it->bytes) {
        it->bytes = ivl_dtype_bytes(p->t[r].dtype, ivl_numel(&p->t[r]));
        if (!it->bytes) it->bytes = 1;
        it->first = step;
    }
    it->last = value(p, r)->keep ? p->n_step : step;
}

static ivl_status lay_out(ivl_plan *p)
{
    p->n_item = p->n_value + p->n_step;
    p->item = calloc((size_t)p->n_item + 1, sizeof *p->item);
    IVL_CHECK(p->item, IVL_ENOMEM, "out of memory while planning");
    for (int i = 0; i < p->n_step; i++) {
        ivl_step *s = &p->step[i];
        for (int j = 0; j < s->n.n_in; j++) touch(p, s->n.in[j], i);
        for (int j = 0; j < s->n.n_out; j++) touch(p, s->n.out[j], i);
        s->scratch_item = p->n_value + i;
        p->item[s->scratch_item] = (ivl_mem_item){ .bytes = s->scratch, .first = i, .last = i };
    }
    size_t at = 0;
    for (int i = 0; i < p->n_value; i++)
        if (value(p, i)->kind == IVL_INPUT) {
            p->io_off[i] = at;
            at = round_up(at + ivl_dtype_bytes(p->t[i].dtype, ivl_numel(&p->t[i])), 64);
        }
    p->io_bytes = at;
    size_t gap = p->caps->features & IVL_CAP_CHECK ? IVL_GUARD_BYTES : 0;
    size_t limit = p->caps->max_alloc / alignment(p) * alignment(p);
    return ivl_memplan(p->item, p->n_item, alignment(p), gap, limit, &p->slabs);
}

static ivl_status prepare(ivl_plan *p)
{
    for (int i = 0; p->dev && i < p->n_step; i++) {
        ivl_step *s = &p->step[i];
        IVL_TRY(s->impl->prepare(p->dev, &s->n, s->param, &s->prep));
    }
    return IVL_OK;
}

ivl_status ivl_plan_create(ivl_device *dev, ivl_graph *g, const ivl_plan_options *o, ivl_plan **p_p)
{
    static const ivl_plan_options none;
    if (!o) o = &none;
    IVL_TRY(ivl_graph_status(g));
    IVL_CHECK(dev || o->caps, IVL_EINVAL, "a plan needs a device or its capabilities");
    ivl_plan *p = calloc(1, sizeof *p);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory while planning");
    p->dev = dev, p->graph = g;
    p->backend = dev ? dev->backend : o->backend;
    p->caps = dev ? ivl_device_caps(dev) : o->caps;
    ivl_status s = copy_graph(p);
    if (s == IVL_OK) {
        ivl_drop_dead(p);
        if (!o->no_fuse) ivl_fuse(p);
        s = choose(p, o->force);
    }
    if (s == IVL_OK) s = lay_out(p);
    if (s == IVL_OK) s = prepare(p);
    if (s != IVL_OK) {
        ivl_plan_destroy(p);
        return s;
    }
    *p_p = p;
    return IVL_OK;
}

static void arena_drop(ivl_arena *a)
{
    if (!a || --a->refs > 0) return;
    ivl_release(a->io);
    for (int i = 0; i < IVL_MAX_SLABS; i++) ivl_release(a->slab[i]);
    free(a);
}

void ivl_plan_destroy(ivl_plan *p)
{
    if (!p) return;
    for (int i = 0; p->step && i < p->n_step; i++)
        if (p->step[i].prep) p->step[i].impl->destroy(p->step[i].prep);
    arena_drop(p->arena);
    free(p->t), free(p->io_off), free(p->step), free(p->linears), free(p->item), free(p);
}

static void bind_tensors(ivl_plan *p)
{
    for (int i = 0; i < p->n_value; i++) {
        ivl_tensor *t = &p->t[i];
        const ivl_value *v = value(p, i);
        if (v->kind == IVL_INPUT)
            t->buf = p->arena->io, t->off = (int64_t)(p->io_off[i] / ivl_dtype_bytes(t->dtype, 1));
        else if (v->kind == IVL_TEMP && p->item[i].bytes)
            t->buf = p->arena->slab[p->item[i].slab], t->off = (int64_t)(p->item[i].off / ivl_dtype_bytes(t->dtype, 1));
    }
    for (int i = 0; i < p->n_value; i++) /* a view's offset is kept in the graph, relative to its root */
        if (value(p, i)->kind == IVL_VIEW) {
            const ivl_tensor *r = &p->t[value(p, i)->root];
            p->t[i].buf = r->buf, p->t[i].off = r->off + value(p, i)->t.off;
        }
}

static ivl_status arena_create(ivl_device *dev, size_t io, const ivl_mem_slabs *m, ivl_arena **a_p)
{
    ivl_arena *a = calloc(1, sizeof *a);
    IVL_CHECK(a, IVL_ENOMEM, "out of memory while planning");
    a->refs = 1;
    ivl_status s = io ? ivl_alloc(dev, IVL_MEM_DEVICE, io, &a->io) : IVL_OK;
    for (int i = 0; i < m->n && s == IVL_OK; i++) s = ivl_alloc(dev, IVL_MEM_DEVICE, m->bytes[i], &a->slab[i]);
    if (s != IVL_OK) {
        arena_drop(a);
        return s;
    }
    *a_p = a;
    return IVL_OK;
}

ivl_status ivl_plan_bind(ivl_plan *const *plans, int n)
{
    ivl_mem_slabs m = { 0 };
    size_t io = 0, total = 0;
    ivl_arena *a = NULL;
    for (int i = 0; i < n; i++) {
        IVL_CHECK(plans[i]->dev && plans[i]->dev == plans[0]->dev, IVL_EINVAL, "plans of one set need one device");
        if (plans[i]->io_bytes > io) io = plans[i]->io_bytes;
        if (plans[i]->slabs.n > m.n) m.n = plans[i]->slabs.n;
        for (int j = 0; j < plans[i]->slabs.n; j++)
            if (plans[i]->slabs.bytes[j] > m.bytes[j]) m.bytes[j] = plans[i]->slabs.bytes[j];
    }
    for (int j = 0; j < m.n; j++) total += m.bytes[j];
    const ivl_caps *c = plans[0]->caps;
    IVL_CHECK(total + io <= c->mem_bytes, IVL_ENOMEM,
              "the plan needs %.2f GiB for activations, and %s has %.2f GiB: use a smaller batch, or recompute",
              (double)(total + io) / 0x1p30, c->name, (double)c->mem_bytes / 0x1p30);
    IVL_TRY(arena_create(plans[0]->dev, io, &m, &a));
    for (int i = 0; i < n; i++) {
        arena_drop(plans[i]->arena);
        plans[i]->arena = a, a->refs++;
        bind_tensors(plans[i]);
    }
    arena_drop(a);
    return IVL_OK;
}

/* --- running ------------------------------------------------------------------------------------------ */

ivl_status ivl_plan_run_range(ivl_plan *p, ivl_stream *s, int i, int j)
{
    IVL_CHECK(p->arena, IVL_EINVAL, "the plan has no memory: ivl_plan_bind comes first");
    for (; i < j && i < p->n_step; i++) {
        ivl_step *t = &p->step[i];
        const ivl_mem_item *m = &p->item[t->scratch_item];
        ivl_buffer scratch = t->scratch ? p->arena->slab[m->slab] : (ivl_buffer){ 0 };
        IVL_TRY(t->impl->run(s, &t->n, t->prep, scratch, (int64_t)m->off));
    }
    return IVL_OK;
}

ivl_status ivl_plan_run(ivl_plan *p, ivl_stream *s) { return ivl_plan_run_range(p, s, 0, p->n_step); }

size_t ivl_plan_io_bytes(const ivl_plan *p) { return p->io_bytes; }
size_t ivl_plan_io_offset(const ivl_plan *p, ivl_val input) { return p->io_off[input.id]; }

ivl_status ivl_plan_feed(ivl_plan *p, ivl_stream *s, ivl_buffer slot, size_t off)
{
    IVL_CHECK(p->arena, IVL_EINVAL, "the plan has no memory: ivl_plan_bind comes first");
    return ivl_copy(s, p->arena->io, 0, slot, off, p->io_bytes);
}

static ivl_status whole(ivl_plan *p, ivl_val v, size_t bytes, const ivl_tensor **t_p)
{
    IVL_CHECK(v.id >= 0 && v.id < p->n_value && p->arena, IVL_EINVAL, "no such value, or the plan has no memory");
    const ivl_tensor *t = &p->t[v.id];
    char text[96];
    IVL_CHECK(t->buf.handle, IVL_EINVAL, "%s: the plan dropped this value: ivl_keep it while recording", t->name);
    IVL_CHECK(ivl_contiguous(t) && bytes == ivl_dtype_bytes(t->dtype, ivl_numel(t)), IVL_ESHAPE,
              "%s: %zu bytes given for %s", t->name, bytes, ivl_tensor_text(t, text, sizeof text));
    *t_p = t;
    return IVL_OK;
}

ivl_status ivl_plan_write(ivl_plan *p, ivl_stream *s, ivl_val v, const void *host, size_t bytes)
{
    const ivl_tensor *t;
    IVL_TRY(whole(p, v, bytes, &t));
    return ivl_write(s, t->buf, ivl_dtype_bytes(t->dtype, t->off), bytes, host);
}

ivl_status ivl_plan_read(ivl_plan *p, ivl_stream *s, ivl_val v, void *host, size_t bytes)
{
    const ivl_tensor *t;
    IVL_TRY(whole(p, v, bytes, &t));
    return ivl_read(s, t->buf, ivl_dtype_bytes(t->dtype, t->off), bytes, host);
}

const ivl_tensor *ivl_plan_tensor(const ivl_plan *p, ivl_val v)
{
    bool there = v.id >= 0 && v.id < p->n_value && p->t[v.id].buf.handle;
    return there ? &p->t[v.id] : NULL;
}
