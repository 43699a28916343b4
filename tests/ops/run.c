/* Runs cases: truth, plain loop and implementations, compared by the rule of cases.h. */
#include "tests/ops/cases.h"

#include "runtime/dtype.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_GUARD = 4096 };

typedef struct run {
    const ivl_case         *c;
    const ivl_case_options *o;
    ivl_device             *dev;
    ivl_stream             *s;
    ivl_dtype               t;
    ivl_case_node          *truth, *plain, *node; /* node: what the device works on */
} run;

/* --- truth and plain ---------------------------------------------------------------------------- */

/* Elements of t (host) as doubles, row-major. */
static ivl_status read_values(const ivl_tensor *t, double **v_p)
{
    int64_t rows = ivl_rows(t), cols = ivl_cols(t);
    double *v = malloc((size_t)(rows * cols + 1) * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            v[i * cols + j] = ivl_load(t->buf.host, t->dtype, t->off + i * t->pitch + j);
    free(*v_p);
    *v_p = v;
    return IVL_OK;
}

/* Runs fix over f64 tensors that hold the values of cn; its results replace values. */
static ivl_status fix_values(const ivl_case *c, double **values)
{
    ivl_case_node *wide = NULL;
    ivl_status s = ivl_case_node_create(c, IVL_F64, values, NULL, &wide);
    if (s == IVL_OK) s = c->fix(&wide->n);
    for (int i = 0; s == IVL_OK && i < c->n_in; i++)
        if (wide->n.x[i]) s = read_values(&wide->x[i], &values[i]);
    ivl_case_node_destroy(wide);
    return s;
}

static ivl_status read_inputs(const ivl_case_node *cn, double **values)
{
    for (int i = 0; i < cn->n.n_in; i++)
        if (cn->n.x[i]) IVL_TRY(read_values(&cn->x[i], &values[i]));
    return IVL_OK;
}

/* The three nodes of a case for storage type t, from one set of rounded values. */
static ivl_status make_nodes(run *r, double **values, double **old)
{
    IVL_TRY(ivl_case_node_create(r->c, r->t, NULL, NULL, &r->plain));
    IVL_TRY(read_inputs(r->plain, values));
    if (r->c->fix) {
        IVL_TRY(fix_values(r->c, values));
        ivl_case_node_destroy(r->plain);
        r->plain = NULL;
        IVL_TRY(ivl_case_node_create(r->c, r->t, values, NULL, &r->plain));
        IVL_TRY(read_inputs(r->plain, values)); /* rounded */
    }
    for (int i = 0; i < r->c->n_out; i++)
        if (r->c->add_mask >> i & 1 && r->plain->n.y[i]) IVL_TRY(read_values(&r->plain->y[i], &old[i]));
    IVL_TRY(ivl_case_node_create(r->c, IVL_F64, values, old, &r->truth));
    return ivl_case_node_create(r->c, r->t, values, old, &r->node);
}

static ivl_status make_truth(run *r)
{
    double *values[IVL_MAX_IN] = { 0 }, *old[IVL_MAX_OUT] = { 0 };
    const ivl_op_desc *d = ivl_op_get(r->c->op);
    ivl_status s = make_nodes(r, values, old);
    if (s == IVL_OK) s = d->ref64(&r->truth->n);
    if (s == IVL_OK) s = (d->ref32 ? d->ref32 : d->ref64)(&r->plain->n);
    for (int i = 0; i < IVL_MAX_IN; i++) free(values[i]);
    for (int i = 0; i < IVL_MAX_OUT; i++) free(old[i]);
    return s;
}

/* --- comparing ---------------------------------------------------------------------------------- */

static void bad(ivl_case_result *res, const char *fmt, ...)
{
    if (!res->ok) return; /* the first reason stays */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(res->message, sizeof res->message, fmt, ap);
    va_end(ap);
    res->ok = false;
}

static double ulp(ivl_dtype t, double v)
{
    int e, bits = t == IVL_BF16 ? 8 : t == IVL_F16 ? 11 : t == IVL_F32 ? 24 : 53;
    if (t == IVL_I32 || t == IVL_U8) return 0;
    frexp(v, &e);
    if (t == IVL_F16 && e < -13) e = -13; /* subnormal halves */
    return v == 0 ? 0 : ldexp(1, e - bits);
}

/* |a - b|, 0 for the same infinity or NaN on both sides, infinite when only one is finite. */
static double distance(double a, double b)
{
    if (isfinite(a) && isfinite(b)) return fabs(a - b);
    return a == b || (isnan(a) && isnan(b)) ? 0 : INFINITY;
}

static double at(const ivl_tensor *t, const void *image, int64_t row, int64_t col)
{
    return ivl_load(image, t->dtype, t->off + row * t->pitch + col);
}

typedef struct tensors {
    const ivl_tensor *truth, *plain, *dev;
    const ivl_case_memory *mt, *mp, *md;
} tensors;

static void compare(const tensors *p, const char *what, int index, const unsigned char *after,
                    ivl_case_result *res)
{
    double plain = 0, error = 0, size = 0;
    int64_t wr = 0, wc = 0, rows = ivl_rows(p->dev), cols = ivl_cols(p->dev);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            double t = at(p->truth, p->mt->image, r, c), e = distance(at(p->dev, after, r, c), t);
            plain = fmax(plain, distance(at(p->plain, p->mp->image, r, c), t));
            if (isfinite(t)) size = fmax(size, fabs(t));
            if (e > error) error = e, wr = r, wc = c;
        }
    double allowed = 2 * plain + ulp(p->dev->dtype, size);
    if (error > allowed)
        bad(res, "%s %d [%lld,%lld] is %.9g where %.9g is right: off by %.3g, allowed 2 x %.3g + %.3g", what,
            index, (long long)wr, (long long)wc, at(p->dev, after, wr, wc),
            at(p->truth, p->mt->image, wr, wc), error, plain, ulp(p->dev->dtype, size));
    if (error > allowed || error * res->allowed >= res->error * allowed)
        res->error = error, res->allowed = allowed;
}

/* Bytes of the memory of t that belong to no element are what they were. */
static void check_guards(const ivl_tensor *t, const ivl_case_memory *m, const unsigned char *after,
                         const char *what, int index, ivl_case_result *res)
{
    size_t from = 0, row = ivl_dtype_bytes(t->dtype, ivl_cols(t));
    for (int64_t r = 0; r <= ivl_rows(t); r++) {
        size_t to = r < ivl_rows(t) ? ivl_dtype_bytes(t->dtype, t->off + r * t->pitch) : m->bytes;
        if (memcmp(m->image + from, after + from, to - from)) {
            bad(res, "%s %d: bytes outside the tensor were written (before row %lld)", what, index,
                (long long)r);
            return;
        }
        from = to + row;
    }
}

static ivl_status check_tensor(run *r, const tensors *p, const char *what, int index, bool written,
                               ivl_case_result *res)
{
    unsigned char *after = malloc(p->md->bytes);
    IVL_CHECK(after, IVL_ENOMEM, "out of memory");
    if (ivl_read(r->s, p->md->buf, 0, p->md->bytes, after) != IVL_OK)
        bad(res, "%s", ivl_last_error());
    else if (!written) {
        if (memcmp(after, p->md->image, p->md->bytes)) bad(res, "%s %d was changed", what, index);
    } else {
        check_guards(p->dev, p->md, after, what, index, res);
        compare(p, what, index, after, res);
    }
    free(after);
    return IVL_OK;
}

static ivl_status check_all(run *r, ivl_case_result *res)
{
    const ivl_op_desc *d = ivl_op_get(r->c->op);
    for (int i = 0; i < r->c->n_in; i++) {
        if (!r->node->n.x[i]) continue;
        tensors p = { &r->truth->x[i],  &r->plain->x[i],  &r->node->x[i],
                      &r->truth->mx[i], &r->plain->mx[i], &r->node->mx[i] };
        IVL_TRY(check_tensor(r, &p, "input", i, d->mutates >> i & 1, res));
    }
    for (int i = 0; i < r->c->n_out; i++) {
        if (!r->node->n.y[i]) continue;
        tensors p = { &r->truth->y[i],  &r->plain->y[i],  &r->node->y[i],
                      &r->truth->my[i], &r->plain->my[i], &r->node->my[i] };
        IVL_TRY(check_tensor(r, &p, "output", i, true, res));
    }
    return IVL_OK;
}

/* --- one implementation -------------------------------------------------------------------------- */

static ivl_status check_scratch(run *r, ivl_buffer scratch, size_t bytes, ivl_case_result *res)
{
    unsigned char *after = malloc(bytes);
    IVL_CHECK(after, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_read(r->s, scratch, 0, bytes, after);
    for (size_t i = 0; s == IVL_OK && i < SCRATCH_GUARD; i++)
        if (after[i] != 0xff || after[bytes - 1 - i] != 0xff) {
            bad(res, "bytes outside its %zu bytes of scratch were written", bytes - 2 * SCRATCH_GUARD);
            break;
        }
    free(after);
    return s;
}

static ivl_status enqueue(run *r, const ivl_impl *impl, const int *param, ivl_case_result *res)
{
    ivl_prep *prep = NULL;
    ivl_buffer scratch = { 0 };
    const ivl_node *n = &r->node->n;
    size_t bytes = impl->scratch ? impl->scratch(ivl_device_caps(r->dev), n) : 0;
    bytes = (bytes + 3) / 4 * 4 + 2 * SCRATCH_GUARD;
    ivl_status s = ivl_case_node_upload(r->node, r->s);
    if (s == IVL_OK) s = ivl_alloc(r->dev, IVL_MEM_DEVICE, bytes, &scratch);
    if (s == IVL_OK) s = ivl_fill(r->s, scratch, 0, bytes, 0xffffffffu);
    if (s == IVL_OK) s = impl->prepare(r->dev, n, param, &prep);
    if (s == IVL_OK) {
        s = impl->run(r->s, n, prep, scratch, SCRATCH_GUARD);
        ivl_status done = ivl_sync(r->s);
        if (s == IVL_OK) s = done;
        impl->destroy(prep);
    }
    if (s == IVL_OK) s = check_scratch(r, scratch, bytes, res);
    ivl_release(scratch);
    return s;
}

static ivl_status run_params(run *r, const ivl_impl *impl, const int *param)
{
    ivl_case_result res = {
        .c = r->c, .impl = impl->name, .dtype = r->t, .node = &r->node->n,
        .param = impl->space ? param : NULL, .ok = true
    };
    if (r->o->before && !r->o->before(r->o->user, &res)) return IVL_OK;
    if (enqueue(r, impl, param, &res) == IVL_OK) IVL_TRY(check_all(r, &res));
    else bad(&res, "%s", ivl_last_error());
    r->o->report(r->o->user, &res);
    return IVL_OK;
}

/* With the default parameters, and, if asked, with all that differ from them in one. */
static ivl_status run_impl(run *r, const ivl_impl *impl)
{
    int param[IVL_MAX_PARAM];
    const ivl_tune_space *space = impl->space;
    ivl_case_params(r->dev, &r->node->n, impl, param);
    IVL_TRY(run_params(r, impl, param));
    for (int i = 0; r->o->sweep && space && i < space->n; i++)
        for (int j = 0, usual = param[i]; j < 10 && space->values[i][j]; j++, param[i] = usual) {
            param[i] = space->values[i][j];
            if (param[i] == usual) continue;
            if (space->valid && !space->valid(ivl_device_caps(r->dev), &r->node->n, param)) continue;
            IVL_TRY(run_params(r, impl, param));
        }
    return IVL_OK;
}

static ivl_status run_dtype(run *r)
{
    ivl_case_result res = { .c = r->c, .impl = "reference", .dtype = r->t, .ok = true };
    ivl_status s = make_truth(r);
    int tried = 0;
    if (s == IVL_ENOMEM) return s;
    if (s != IVL_OK) {
        bad(&res, "%s", ivl_last_error());
        r->o->report(r->o->user, &res);
        return IVL_OK;
    }
    const ivl_impl *impl;
    bool fits = false;
    for (int i = 0; (impl = ivl_case_impl(r->dev, &r->node->n, i, &fits)); i++) {
        if (!fits || (r->o->impl && strcmp(r->o->impl, impl->name))) continue;
        tried++;
        IVL_TRY(run_impl(r, impl));
    }
    if (!tried && !r->o->impl) {
        res.impl = "none";
        bad(&res, "no implementation fits on this device");
        r->o->report(r->o->user, &res);
    }
    return IVL_OK;
}

static ivl_status run_case(const ivl_case *c, ivl_device *dev, ivl_stream *stream, const ivl_case_options *o)
{
    static const struct { ivl_dtype t; int bit; } types[] = {
        { IVL_F32, IVL_CASE_F32 }, { IVL_BF16, IVL_CASE_BF16 }, { IVL_F16, IVL_CASE_F16 },
    };
    ivl_status s = IVL_OK;
    for (int i = 0; i < 3 && s == IVL_OK; i++) {
        if (c->dtypes && !(c->dtypes & types[i].bit)) continue;
        run r = { .c = c, .o = o, .dev = dev, .s = stream, .t = types[i].t };
        s = run_dtype(&r);
        ivl_case_node_destroy(r.truth), ivl_case_node_destroy(r.plain), ivl_case_node_destroy(r.node);
    }
    return s;
}

ivl_status ivl_cases_run(const ivl_case_list *list, ivl_device *dev, const ivl_case_options *o)
{
    ivl_stream *stream = NULL;
    IVL_TRY(ivl_stream_open(dev, &stream));
    ivl_status s = IVL_OK;
    for (int i = 0; i < ivl_cases_count(list) && s == IVL_OK; i++) {
        const ivl_case *c = ivl_cases_get(list, i);
        if (c->size > o->size || (o->op >= 0 && c->op != o->op)) continue;
        s = run_case(c, dev, stream, o);
    }
    ivl_stream_close(stream);
    return s;
}
