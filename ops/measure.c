#include "ops/measure.h"

#include <stdlib.h>

#include "ops/plan.h"
#include "runtime/clock.h"

enum { MOST_TRIES = 200, LEAST_TRIES = 3 };
static const double SAMPLE = 0.004; /* seconds: long beside a launch and a wait */

/* Best first: what ops/choose.c takes, then the others in the order of their tables. */
const ivl_impl *ivl_node_impl(const ivl_device *dev, const ivl_node *n, int i)
{
    const ivl_caps *c = ivl_device_caps(dev);
    const ivl_op_desc *d = ivl_op_get(n->op);
    const ivl_impl *first = NULL, *found = NULL;
    ivl_quirks q;
    ivl_quirks_load(c, &q);
    if (ivl_choose_impl(dev->backend, c, &q, n, NULL, &first) == IVL_OK && i == 0) found = first;
    for (int j = 0; !found && first && j < dev->backend->n_impls + d->n_impls; j++) {
        const ivl_impl *m = j < dev->backend->n_impls ? &dev->backend->impls[j] : &d->impls[j - dev->backend->n_impls];
        bool fits = (m->op == n->op || m->op == IVL_ANY_OP) && (!m->fits || m->fits(c, n));
        if (m != first && fits && !ivl_quirks_has(&q, m->name, n) && --i == 0) found = m;
    }
    ivl_quirks_free(&q);
    return found;
}

/* --- timing ------------------------------------------------------------------------------------------------------- */

typedef struct work {
    ivl_stream     *s;
    const ivl_node *n;
    const ivl_impl *impl;
    ivl_prep       *prep;
    ivl_buffer      scratch;
} work;

static ivl_status run_node(void *ctx, int runs)
{
    const work *w = ctx;
    for (int i = 0; i < runs; i++) IVL_TRY(w->impl->run(w->s, w->n, w->prep, w->scratch, 0));
    return ivl_sync(w->s);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

ivl_status ivl_measure_runs(ivl_status (*run)(void *ctx, int runs), void *ctx, double budget, ivl_timing *t_p)
{
    double t[MOST_TRIES], begin = ivl_seconds();
    int n = 0, runs = 1;
    IVL_TRY(run(ctx, 1)); /* compiles late, warms caches */
    double start = ivl_seconds();
    IVL_TRY(run(ctx, 1));
    double once = ivl_seconds() - start;
    if (once < SAMPLE) runs = (int)(SAMPLE / (once + 1e-7)) + 1;
    while (n < MOST_TRIES && (n < LEAST_TRIES || ivl_seconds() - begin < budget)) {
        start = ivl_seconds();
        IVL_TRY(run(ctx, runs));
        t[n++] = (ivl_seconds() - start) / runs;
    }
    qsort(t, (size_t)n, sizeof *t, ascending);
    *t_p = (ivl_timing){ t[n / 2], t[0], t[n - 1], n };
    return IVL_OK;
}

ivl_status ivl_measure(ivl_stream *s, const ivl_node *n, const ivl_impl *impl, const int *param, double budget,
                       ivl_timing *t_p)
{
    const ivl_caps *c = ivl_device_caps(s->dev);
    int usual[IVL_MAX_PARAM] = { 0 };
    if (!param && impl->space) impl->space->defaults(c, n, usual);
    work w = { .s = s, .n = n, .impl = impl };
    size_t bytes = impl->scratch ? impl->scratch(c, n) : 0;
    IVL_TRY(impl->prepare(s->dev, n, param ? param : usual, &w.prep));
    ivl_status e = bytes ? ivl_alloc(s->dev, IVL_MEM_DEVICE, bytes, &w.scratch) : IVL_OK;
    if (e == IVL_OK) e = ivl_measure_runs(run_node, &w, budget, t_p);
    ivl_release(w.scratch);
    impl->destroy(w.prep);
    return e;
}

/* --- work
 * ----------------------------------------------------------------------------------------------------------
 */

static double bytes_of(const ivl_tensor *t) { return (double)ivl_dtype_bytes(t->dtype, ivl_numel(t)); }

double ivl_node_bytes(const ivl_node *n)
{
    const ivl_op_desc *d = ivl_op_get(n->op);
    double bytes = 0;
    if (d->bytes) return d->bytes(n);
    for (int i = 0; i < n->n_in; i++)
        if (n->x[i]) bytes += bytes_of(n->x[i]) * (d->mutates >> i & 1 ? 2 : 1);
    for (int i = 0; i < n->n_out; i++)
        if (n->y[i]) bytes += bytes_of(n->y[i]) * (n->add_mask >> i & 1 ? 2 : 1);
    return bytes;
}

double ivl_node_flops(const ivl_node *n)
{
    const ivl_op_desc *d = ivl_op_get(n->op);
    return d->flops ? d->flops(n) : 0;
}
