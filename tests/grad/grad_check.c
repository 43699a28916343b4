#include "tests/grad/grad_check.h"

#include "ops/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPS 1e-5

enum { SEED = IVL_GRAD_MAX_LEAF, GRAD = 100, DIRECTION = 200 };

typedef struct check {
    const ivl_grad_case *c;
    ivl_device          *dev;
    ivl_stream          *s;
    ivl_graph           *g;
    ivl_plan            *p;
    ivl_val              out;
    ivl_tensor           leaf[IVL_GRAD_MAX_LEAF], grad[IVL_GRAD_MAX_LEAF], seed;
    double *first[IVL_GRAD_MAX_LEAF]; /* minus what the gradient held before, then what one run added */
} check;

/* Memory of its own for t; role S, T: f64. */
static ivl_status place(check *k, ivl_tensor *t, const char *name)
{
    t->name = name;
    return ivl_alloc(k->dev, IVL_MEM_DEVICE, ivl_dtype_bytes(t->dtype, ivl_numel(t)) + 64, &t->buf);
}

static ivl_status make_leaf(check *k, int i, const char *const *name, ivl_val *v_p)
{
    const ivl_case_tensor *d = &k->c->leaf[i];
    ivl_dtype t = d->role == IVL_ROLE_I32 ? IVL_I32 : d->role == IVL_ROLE_U8 ? IVL_U8
                : d->role == IVL_ROLE_F32 ? IVL_F32 : IVL_F64;
    *v_p = IVL_NONE;
    if (d->role == IVL_ROLE_ABSENT) return IVL_OK;
    k->leaf[i] = ivl_tensor_make(t, d->rank, d->dim);
    IVL_TRY(place(k, &k->leaf[i], name[0]));
    ivl_case_fill(&k->leaf[i], &d->draw, k->c->name, (uint32_t)i);
    if (d->role == IVL_ROLE_T) {
        static const ivl_draw normal;
        size_t bytes = ivl_dtype_bytes(t, ivl_numel(&k->leaf[i]));
        k->grad[i] = ivl_tensor_make(t, d->rank, d->dim);
        IVL_TRY(place(k, &k->grad[i], name[1]));
        ivl_case_fill(&k->grad[i], &normal, k->c->name, GRAD + (uint32_t)i);
        k->first[i] = calloc(1, bytes + 8);
        IVL_CHECK(k->first[i], IVL_ENOMEM, "out of memory");
        const double *old = k->grad[i].buf.host;
        for (int64_t j = 0; k->c->accumulate && j < ivl_numel(&k->grad[i]); j++) k->first[i][j] = -old[j];
    }
    *v_p = ivl_extern(k->g, &k->leaf[i], k->grad[i].buf.host ? &k->grad[i] : NULL);
    return ivl_graph_status(k->g);
}

static ivl_status make_graph(check *k)
{
    static const char *const names[IVL_GRAD_MAX_LEAF][2] = {
        { "p0", "d0" }, { "p1", "d1" }, { "p2", "d2" }, { "p3", "d3" }, { "p4", "d4" },  { "p5", "d5" },
        { "p6", "d6" }, { "p7", "d7" }, { "p8", "d8" }, { "p9", "d9" }, { "p10", "d10" }, { "p11", "d11" },
    };
    static const ivl_draw normal;
    ivl_val leaf[IVL_GRAD_MAX_LEAF];
    for (int i = 0; i < IVL_GRAD_MAX_LEAF; i++) leaf[i] = IVL_NONE;
    for (int i = 0; i < k->c->n; i++) IVL_TRY(make_leaf(k, i, names[i], &leaf[i]));
    k->out = ivl_keep(k->g, k->c->build(k->g, leaf));
    IVL_TRY(ivl_graph_status(k->g));
    const ivl_tensor *out = ivl_tensor_of(k->g, k->out);
    k->seed = ivl_tensor_make(IVL_F64, out->rank, out->dim);
    IVL_TRY(place(k, &k->seed, "seed"));
    ivl_case_fill(&k->seed, &normal, k->c->name, SEED);
    ivl_val seed = ivl_extern(k->g, &k->seed, NULL);
    ivl_backward b = { .out = &k->out, .seed = &seed, .n = 1, .accumulate = k->c->accumulate,
                       .recompute = k->c->recompute };
    return ivl_graph_backward(k->g, &b);
}

static double dot(const double *a, const double *b, int64_t n)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

/* Runs the plan once; the loss. */
static ivl_status run(check *k, double *loss_p)
{
    const ivl_tensor *out = ivl_plan_tensor(k->p, k->out);
    int64_t n = ivl_numel(&k->seed);
    IVL_CHECK(out && ivl_contiguous(out) && out->dtype == IVL_F64, IVL_EINVAL,
              "%s: the output is not a whole f64 tensor", k->c->name);
    IVL_TRY(ivl_plan_run(k->p, k->s));
    *loss_p = dot((const double *)out->buf.host + out->off, k->seed.buf.host, n);
    return IVL_OK;
}

/* The loss at leaf i moved by step along u from its values at. */
static ivl_status run_moved(check *k, int i, const double *at, const double *u, double step, double *loss_p)
{
    double *p = k->leaf[i].buf.host;
    for (int64_t j = 0, n = ivl_numel(&k->leaf[i]); j < n; j++) p[j] = at[j] + step * u[j];
    return run(k, loss_p);
}

static ivl_status check_leaf(check *k, int i, double *error_p)
{
    int64_t n = ivl_numel(&k->leaf[i]);
    const double *grad = k->first[i];
    double *at = malloc(2 * (size_t)n * sizeof *at + 8), *u = at + n, up = 0, down = 0;
    IVL_CHECK(at, IVL_ENOMEM, "out of memory");
    static const ivl_draw normal;
    ivl_tensor direction = k->leaf[i];
    direction.buf.host = u;
    memcpy(at, k->leaf[i].buf.host, (size_t)n * sizeof *at);
    ivl_case_fill(&direction, &normal, k->c->name, DIRECTION + (uint32_t)i);
    ivl_status s = run_moved(k, i, at, u, EPS, &up);
    if (s == IVL_OK) s = run_moved(k, i, at, u, -EPS, &down);
    memcpy(k->leaf[i].buf.host, at, (size_t)n * sizeof *at);
    double norm = sqrt(dot(grad, grad, n)), diff = fabs(dot(grad, u, n) - (up - down) / (2 * EPS));
    double error = diff == 0 ? 0 : diff / (norm > 1e-6 ? norm : 1e-6);
    if (!(error <= *error_p)) *error_p = error; /* NaN too */
    free(at);
    return s;
}

static ivl_status check_graph(check *k, bool *seen, double *error_p)
{
    double loss = 0, error = 0;
    IVL_TRY(make_graph(k));
    for (int i = 0; i < k->g->n_node; i++) seen[k->g->node[i]->op] = true;
    IVL_TRY(ivl_plan_create(k->dev, k->g, NULL, &k->p));
    IVL_TRY(ivl_plan_bind(&k->p, 1));
    IVL_TRY(run(k, &loss));
    for (int i = 0; i < k->c->n; i++)
        for (int64_t j = 0; k->first[i] && j < ivl_numel(&k->grad[i]); j++)
            k->first[i][j] += ((const double *)k->grad[i].buf.host)[j];
    for (int i = 0; i < k->c->n; i++)
        if (k->first[i]) IVL_TRY(check_leaf(k, i, &error));
    *error_p = error;
    return IVL_OK;
}

ivl_status ivl_grad_check(const ivl_grad_case *c, bool *seen, double *error_p)
{
    check k = { .c = c };
    ivl_status s = ivl_device_open("host", &k.dev);
    if (s == IVL_OK) s = ivl_stream_open(k.dev, &k.s);
    if (s == IVL_OK) s = ivl_graph_create(&k.g);
    if (s == IVL_OK) s = check_graph(&k, seen, error_p);
    ivl_plan_destroy(k.p);
    ivl_graph_destroy(k.g);
    for (int i = 0; i < IVL_GRAD_MAX_LEAF; i++) {
        ivl_release(k.leaf[i].buf), ivl_release(k.grad[i].buf);
        free(k.first[i]);
    }
    ivl_release(k.seed.buf);
    ivl_stream_close(k.s);
    ivl_device_close(k.dev);
    return s;
}
