#include "train/bench.h"

#include <stdlib.h>
#include <string.h>

#include "ops/roof.h"
#include "train/blas.h"

/* --- roofs -------------------------------------------------------------------------------------------------------- */

ivl_status ivl_bench_measure_roofs(ivl_device *dev, ivl_bench_roofs *r_p)
{
    size_t units = (size_t)(ivl_device_caps(dev)->units > 0 ? ivl_device_caps(dev)->units : 1);
    /* of each core: within its first cache, its second, and beyond all */
    ivl_bench_roofs r = { .level = { units * 16384, units * 524288, (size_t)512 << 20 } };
    IVL_TRY(ivl_roof_gflops(dev, &r.flops));
    r.flops *= 1e9;
    for (int i = 0; i < IVL_BENCH_LEVELS; i++) IVL_TRY(ivl_roof_read(dev, r.level[i], &r.read[i]));
    IVL_TRY(ivl_roof_copy(dev, (size_t)512 << 20, &r.copy));
    *r_p = r;
    return IVL_OK;
}

/* A node that fits a cache is not held to memory's roof. */
static double roof_of(const ivl_bench_roofs *r, double flops, double bytes)
{
    int level = 0;
    while (level + 1 < IVL_BENCH_LEVELS && bytes > (double)r->level[level]) level++;
    double memory = r->read[level] > 0 ? bytes / r->read[level] : 0, work = r->flops > 0 ? flops / r->flops : 0;
    return memory > work ? memory : work;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static bool same_tensor(const ivl_tensor *a, const ivl_tensor *b)
{
    if (!a || !b) return a == b;
    return a->dtype == b->dtype && ivl_same_shape(a, b) && a->pitch == b->pitch;
}

static bool same_node(const ivl_node *a, const ivl_node *b)
{
    bool same = a->op == b->op && a->n_in == b->n_in && a->n_out == b->n_out && a->add_mask == b->add_mask &&
                a->attr_bytes == b->attr_bytes && !memcmp(a->attr, b->attr, a->attr_bytes);
    for (int i = 0; same && i < a->n_in; i++) same = same_tensor(a->x[i], b->x[i]);
    for (int i = 0; same && i < a->n_out; i++) same = same_tensor(a->y[i], b->y[i]);
    return same;
}

/* Nodes like i: 0 if an earlier one is like it. */
static int count_like(const ivl_plan *p, int i)
{
    int n = 1;
    for (int j = 0; j < i; j++)
        if (same_node(ivl_plan_node(p, i), ivl_plan_node(p, j))) return 0;
    for (int j = i + 1; j < ivl_plan_nodes(p); j++) n += same_node(ivl_plan_node(p, i), ivl_plan_node(p, j));
    return n;
}

static void describe(const ivl_node *n, char *text, size_t size)
{
    size_t at = 0;
    char t[96];
    text[0] = 0;
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        const ivl_tensor *x = i < n->n_in ? n->x[i] : n->y[i - n->n_in];
        const char *before = i == n->n_in ? " -> " : i ? " " : "";
        const char *adds = i >= n->n_in && n->add_mask >> (i - n->n_in) & 1 ? "+" : "";
        if (!x || at >= size) continue;
        int wrote = snprintf(text + at, size - at, "%s%s%s", before, adds, ivl_tensor_text(x, t, sizeof t));
        at += wrote > 0 ? (size_t)wrote : 0;
    }
}

ivl_status ivl_bench_append(ivl_bench *b, const ivl_bench_row *row)
{
    if (b->n == b->cap) {
        int cap = b->cap ? 2 * b->cap : 64;
        ivl_bench_row *more = realloc(b->row, (size_t)cap * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory");
        b->row = more, b->cap = cap;
    }
    b->row[b->n++] = *row;
    return IVL_OK;
}

void ivl_bench_free(ivl_bench *b)
{
    free(b->row);
    *b = (ivl_bench){ 0 };
}

typedef struct bench {
    ivl_bench               *b;
    ivl_device              *dev;
    ivl_stream              *s;
    const ivl_plan          *p;
    const ivl_bench_roofs   *r;
    const ivl_bench_options *o;
    ivl_blas                 blas;
} bench;

static ivl_bench_row row_of(const bench *w, const ivl_node *n, int times)
{
    ivl_bench_row row = { .op = ivl_op_get(n->op)->name, .times = times, .flops = ivl_node_flops(n),
                          .bytes = ivl_node_bytes(n) };
    describe(n, row.shapes, sizeof row.shapes);
    row.roof = roof_of(w->r, row.flops, row.bytes);
    snprintf(row.device, sizeof row.device, "%s", w->dev->spec);
    return row;
}

static ivl_status measure_impls(bench *w, const ivl_node *n, int times)
{
    ivl_bench_row row = row_of(w, n, times);
    const ivl_impl *impl;
    for (int i = 0; (impl = ivl_node_impl(w->dev, n, i)) && (i == 0 || w->o->all); i++) {
        snprintf(row.impl, sizeof row.impl, "%s", impl->name);
        row.chosen = i == 0;
        IVL_TRY(ivl_measure(w->s, n, impl, NULL, w->o->budget, &row.time));
        IVL_TRY(ivl_bench_append(w->b, &row));
    }
    return IVL_OK;
}

static ivl_status measure_blas(bench *w, const ivl_node *n, int times)
{
    if (!ivl_blas_fits(n)) return IVL_OK;
    ivl_bench_row row = row_of(w, n, times);
    snprintf(row.impl, sizeof row.impl, "%s", w->blas.name);
    IVL_TRY(ivl_blas_measure(&w->blas, n, w->o->budget, &row.time));
    return ivl_bench_append(w->b, &row);
}

static bool wanted(const ivl_bench_options *o, const ivl_node *n)
{
    return !o->op || !strcmp(o->op, ivl_op_get(n->op)->name);
}

static ivl_status each_node(bench *w, ivl_status (*measure)(bench *w, const ivl_node *n, int times))
{
    int nodes = ivl_plan_nodes(w->p);
    for (int i = 0; i < nodes; i++) {
        const ivl_node *n = ivl_plan_node(w->p, i);
        int times = wanted(w->o, n) ? count_like(w->p, i) : 0;
        if (w->o->progress) w->o->progress(w->o->ctx, i, nodes, ivl_op_get(n->op)->name);
        if (times) IVL_TRY(measure(w, n, times));
    }
    return IVL_OK;
}

/* The library is tried at once, then closed, and comes last: its threads spin while they wait, also before the first
 * call, and would take a core from whoever else is timed. */
ivl_status ivl_bench_task(ivl_bench *b, ivl_device *dev, const ivl_task *t, const ivl_bench_roofs *r,
                          const ivl_bench_options *o)
{
    bench w = { .b = b, .dev = dev, .s = ivl_task_stream(t), .p = ivl_task_plan(t), .r = r, .o = o };
    if (o->blas) IVL_TRY(ivl_blas_open(o->blas, &w.blas));
    ivl_blas_close(&w.blas);
    IVL_TRY(each_node(&w, measure_impls));
    if (!o->blas) return IVL_OK;
    IVL_TRY(ivl_blas_open(o->blas, &w.blas));
    ivl_status s = each_node(&w, measure_blas);
    ivl_blas_close(&w.blas);
    return s;
}

/* --- order -------------------------------------------------------------------------------------------------------- */

static bool same_place(const ivl_bench_row *a, const ivl_bench_row *b)
{
    return !strcmp(a->op, b->op) && !strcmp(a->shapes, b->shapes);
}

static double seconds(const ivl_bench_row *r) { return r->time.median * r->times; }

/* By the time of the first chosen row of the node. */
void ivl_bench_sort(ivl_bench *b)
{
    for (int at = 0; at < b->n;) {
        int first = at;
        for (int i = at + 1; i < b->n; i++)
            if (b->row[i].chosen && (!b->row[first].chosen || seconds(&b->row[i]) > seconds(&b->row[first]))) first = i;
        ivl_bench_row head = b->row[first];
        for (int i = at, to = at; i < b->n; i++) {
            if (!same_place(&b->row[i], &head)) continue;
            ivl_bench_row r = b->row[i];
            memmove(&b->row[to + 1], &b->row[to], (size_t)(i - to) * sizeof r);
            b->row[to++] = r;
            at = to;
        }
    }
}
