/* One row that runs any op by the wrapped device's implementation and checks the memory around it:
 *
 *     band | x x x x | gap | x x x x | band      x: elements; gap: pitch beyond a row, or a slice's
 * neighbours
 *
 * Every tensor of the node, with a band on both sides, lies in a window. Before: outputs that are assigned
 * are poisoned, scratch too, and the windows are copied. After: what is not an output (or updated in place)
 * has the same bits, and no poison is left. */
#include "backends/check/check.h"

#include "ops/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = IVL_MAX_IN + IVL_MAX_OUT + 1 };
enum { INPUT = 1, OUTPUT = 2, FREE = 4 }; /* marks of a byte; FREE: may change */

typedef struct part { /* a tensor of the node, or its scratch */
    const char *what; /* "input", "output", "scratch" */
    int index, mark;
    bool poison;
    ivl_tensor t;
} part;

typedef struct window {
    ivl_buffer buf;
    size_t from, to;
    unsigned char *before, *after, *mark;
} window;

typedef struct check_prep {
    const ivl_impl *impl;
    ivl_prep *prep;
    size_t scratch;
} check_prep;

typedef struct check {
    const ivl_node *n;
    const char *op, *impl;
    ivl_check_device *d;
    ivl_stream *s; /* of the wrapped device */
    int n_parts, n_windows;
    part part[MAX_PARTS];
    window window[MAX_PARTS];
} check;

/* --- the wrapped device's choice ---------------------------------------------------------------------- */

/* The row is only ever asked with the caps inside a checking device. */
static const ivl_check_device *device_of(const ivl_caps *c)
{
    return (const ivl_check_device *)(const void *)((const char *)c - offsetof(ivl_device, caps));
}

static ivl_status choose(const ivl_caps *c, const ivl_node *n, const ivl_impl **impl_p)
{
    const ivl_device *inner = device_of(c)->inner;
    static const ivl_quirks none; /* a quirk is what one looks for here */
    return ivl_choose_impl(inner->backend, &inner->caps, &none, n, NULL, impl_p);
}

static bool fits(const ivl_caps *c, const ivl_node *n)
{
    const ivl_impl *impl;
    return (c->features & IVL_CAP_CHECK) && choose(c, n, &impl) == IVL_OK;
}

static size_t scratch(const ivl_caps *c, const ivl_node *n)
{
    const ivl_impl *impl;
    return choose(c, n, &impl) == IVL_OK && impl->scratch ? impl->scratch(&device_of(c)->inner->caps, n) : 0;
}

static ivl_status prepare(ivl_device *dev, const ivl_node *n, const int *unused, ivl_prep **p_p)
{
    (void)unused;
    ivl_device *inner = ((ivl_check_device *)dev)->inner;
    int param[IVL_MAX_PARAM] = { 0 };
    check_prep *p = calloc(1, sizeof *p);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    ivl_status s = choose(&dev->caps, n, &p->impl);
    if (s == IVL_OK) {
        if (p->impl->space) p->impl->space->defaults(&inner->caps, n, param);
        p->scratch = scratch(&dev->caps, n);
        s = p->impl->prepare(inner, n, param, &p->prep);
    }
    if (s != IVL_OK)
        free(p);
    else
        *p_p = (ivl_prep *)(void *)p;
    return s;
}

static void destroy(ivl_prep *prep)
{
    check_prep *p = (check_prep *)(void *)prep;
    if (p && p->prep) p->impl->destroy(p->prep);
    free(p);
}

/* --- parts and windows -------------------------------------------------------------------------------- */

static void add_part(check *c, const char *what, int index, int mark, bool poison, const ivl_tensor *t)
{
    if (!t || !t->buf.handle || !ivl_numel(t)) return;
    part *p = &c->part[c->n_parts++];
    *p = (part){ what, index, mark, poison, *t };
}

static void list_parts(check *c, ivl_buffer scratch_buf, int64_t off, size_t bytes)
{
    const ivl_node *n = c->n;
    uint16_t mutates = ivl_op_get(n->op)->mutates;
    for (int i = 0; i < n->n_in; i++)
        add_part(c, "input", i, INPUT | (mutates >> i & 1 ? FREE : 0), false, n->x[i]);
    for (int i = 0; i < n->n_out; i++)
        add_part(c, "output", i, OUTPUT | FREE, !(n->add_mask >> i & 1), n->y[i]);
    ivl_tensor t = {
        .dtype = IVL_U8, .rank = 1, .dim = { (int64_t)bytes }, .off = off, .pitch = (int64_t)bytes
    };
    t.buf = scratch_buf;
    if (bytes) add_part(c, "scratch", 0, OUTPUT | FREE, true, &t);
}

static size_t row_bytes(const ivl_tensor *t) { return ivl_dtype_bytes(t->dtype, ivl_cols(t)); }
static size_t row_at(const ivl_tensor *t, int64_t r)
{
    return ivl_dtype_bytes(t->dtype, t->off + r * t->pitch);
}

static void add_window(check *c, window w)
{
    for (int i = 0; i < c->n_windows; i++) {
        window *v = &c->window[i];
        if (v->buf.handle != w.buf.handle || v->buf.host != w.buf.host || v->to < w.from || w.to < v->from)
            continue;
        if (v->from < w.from) w.from = v->from;
        if (v->to > w.to) w.to = v->to;
        *v = c->window[--c->n_windows];
        i = -1; /* the larger one may touch others */
    }
    c->window[c->n_windows++] = w;
}

static void list_windows(check *c)
{
    for (int i = 0; i < c->n_parts; i++) {
        const ivl_tensor *t = &c->part[i].t;
        size_t from = row_at(t, 0), to = row_at(t, ivl_rows(t) - 1) + row_bytes(t),
               room = ivl_check_room(c->d, t->buf);
        window w = { .buf = t->buf };
        w.from = from > IVL_CHECK_BAND ? from - IVL_CHECK_BAND : 0;
        w.to = to + IVL_CHECK_BAND < room ? to + IVL_CHECK_BAND : room;
        w.buf.bytes = room;
        add_window(c, w);
    }
}

static window *window_of(check *c, const ivl_tensor *t)
{
    for (int i = 0; i < c->n_windows; i++) {
        window *w = &c->window[i];
        if (w->buf.handle == t->buf.handle && w->buf.host == t->buf.host && w->from <= row_at(t, 0) &&
            row_at(t, 0) < w->to)
            return w;
    }
    return NULL;
}

static ivl_status error_at(const check *c, const part *p, int64_t row, int64_t col, const char *says)
{
    char shape[96];
    return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "check: %s by %s: %s %d%s%s, %s, element [%lld,%lld] %s",
                    c->op, c->impl, p->what, p->index, p->t.name ? " " : "", p->t.name ? p->t.name : "",
                    ivl_tensor_text(&p->t, shape, sizeof shape), (long long)row, (long long)col, says);
}

/* Marks the bytes of the part; outputs may overlap nothing. */
static ivl_status mark_part(check *c, const part *p)
{
    window *w = window_of(c, &p->t);
    for (int64_t r = 0; r < ivl_rows(&p->t); r++) {
        unsigned char *m = w->mark + row_at(&p->t, r) - w->from;
        for (size_t i = 0; i < row_bytes(&p->t); i++) {
            if ((p->mark & OUTPUT && m[i]) || m[i] & OUTPUT)
                return error_at(c, p, r, (int64_t)(i / ivl_dtype_bytes(p->t.dtype, 1)),
                                "lies where another tensor is");
            m[i] |= (unsigned char)p->mark;
        }
    }
    return IVL_OK;
}

/* --- before ------------------------------------------------------------------------------------------- */

static size_t poison_of(ivl_dtype t, unsigned char value[8])
{
    static const uint64_t f64 = 0x7ffd5a5a5a5a5a5a;
    static const uint32_t f32 = 0x7fd5a5a5, i32 = 0x5a5aa5a5;
    static const uint16_t bf16 = 0x7fd5, f16 = 0x7ed5;
    const void *p = t == IVL_F64    ? (const void *)&f64
                    : t == IVL_F32  ? (const void *)&f32
                    : t == IVL_I32  ? (const void *)&i32
                    : t == IVL_BF16 ? (const void *)&bf16
                                    : (const void *)&f16;
    size_t n = t == IVL_F64 ? 8 : t == IVL_F32 || t == IVL_I32 ? 4 : t == IVL_BF16 || t == IVL_F16 ? 2 : 0;
    memset(value, 0xff, 8); /* scratch: NaN whatever it is read as */
    memcpy(value, p, n);
    return n ? n : 1;
}

static ivl_status poison(check *c, const part *p)
{
    unsigned char value[8], *row = malloc(row_bytes(&p->t));
    IVL_CHECK(row, IVL_ENOMEM, "out of memory");
    size_t step = poison_of(p->t.dtype, value), n = row_bytes(&p->t);
    for (size_t i = 0; i < n; i += step) memcpy(row + i, value, step);
    ivl_status s = IVL_OK;
    for (int64_t r = 0; r < ivl_rows(&p->t) && s == IVL_OK; r++) {
        window *w = window_of(c, &p->t);
        s = ivl_write(c->s, w->buf, row_at(&p->t, r), n, row);
    }
    free(row);
    return s;
}

static ivl_status before(check *c)
{
    for (int i = 0; i < c->n_windows; i++) {
        window *w = &c->window[i];
        size_t n = w->to - w->from;
        w->before = malloc(n), w->after = malloc(n), w->mark = calloc(n, 1);
        IVL_CHECK(w->before && w->after && w->mark, IVL_ENOMEM, "check: no memory for %zu bytes to compare",
                  3 * n);
    }
    for (int i = 0; i < c->n_parts; i++) IVL_TRY(mark_part(c, &c->part[i]));
    for (int i = 0; i < c->n_windows; i++) {
        window *w = &c->window[i];
        IVL_TRY(ivl_read(c->s, w->buf, w->from, w->to - w->from, w->before));
    }
    for (int i = 0; i < c->n_parts; i++)
        if (c->part[i].poison) IVL_TRY(poison(c, &c->part[i]));
    return IVL_OK;
}

/* --- after -------------------------------------------------------------------------------------------- */

/* The byte changed though it may not: whose is it? */
static ivl_status blame(check *c, const window *w, size_t at)
{
    const part *near = NULL;
    size_t best = SIZE_MAX;
    bool behind = false;
    for (int i = 0; i < c->n_parts; i++) {
        const part *p = &c->part[i];
        if (window_of(c, &p->t) != w) continue;
        for (int64_t r = 0; r < ivl_rows(&p->t); r++) {
            size_t from = row_at(&p->t, r), to = from + row_bytes(&p->t);
            if (at >= from && at < to)
                return error_at(c, p, r, (int64_t)((at - from) / ivl_dtype_bytes(p->t.dtype, 1)),
                                "was changed");
            size_t far = at < from ? from - at : at - to + 1;
            if (!(p->mark & FREE) || far >= best) continue;
            best = far, near = p, behind = at >= to;
        }
    }
    IVL_CHECK(near, IVL_EDEVICE, "check: %s by %s: bytes were written near its inputs", c->op, c->impl);
    return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__,
                    "check: %s by %s: %s %d%s%s: %zu bytes %s of it were written", c->op, c->impl, near->what,
                    near->index, near->t.name ? " " : "", near->t.name ? near->t.name : "", best,
                    behind ? "behind a row" : "before a row");
}

static ivl_status unwritten(check *c, const part *p)
{
    unsigned char value[8];
    size_t step = poison_of(p->t.dtype, value);
    const window *w = window_of(c, &p->t);
    if (step == 1) return IVL_OK; /* bytes: no value is impossible */
    for (int64_t r = 0; r < ivl_rows(&p->t); r++)
        for (int64_t i = 0; i < ivl_cols(&p->t); i++)
            if (!memcmp(w->after + row_at(&p->t, r) - w->from + (size_t)i * step, value, step))
                return error_at(c, p, r, i, "was not written");
    return IVL_OK;
}

static ivl_status after(check *c)
{
    for (int i = 0; i < c->n_windows; i++) {
        window *w = &c->window[i];
        IVL_TRY(ivl_read(c->s, w->buf, w->from, w->to - w->from, w->after));
        for (size_t b = 0; b < w->to - w->from; b++)
            if (w->before[b] != w->after[b] && !(w->mark[b] & FREE)) return blame(c, w, w->from + b);
    }
    for (int i = 0; i < c->n_parts; i++)
        if (c->part[i].poison) IVL_TRY(unwritten(c, &c->part[i]));
    return IVL_OK;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *prep, ivl_buffer scratch_buf,
                      int64_t off)
{
    const check_prep *p = (const check_prep *)(const void *)prep;
    check *c = calloc(1, sizeof *c);
    IVL_CHECK(c, IVL_ENOMEM, "out of memory");
    c->n = n, c->op = ivl_op_get(n->op)->name, c->impl = p->impl->name;
    c->d = (ivl_check_device *)s->dev, c->s = ((ivl_check_stream *)s)->inner;
    list_parts(c, scratch_buf, off, p->scratch);
    list_windows(c);
    ivl_status st = before(c);
    if (st == IVL_OK) st = p->impl->run(c->s, n, p->prep, scratch_buf, off);
    if (st == IVL_OK) st = ivl_sync(c->s);
    if (st == IVL_OK) st = after(c);
    for (int i = 0; i < c->n_windows; i++)
        free(c->window[i].before), free(c->window[i].after), free(c->window[i].mark);
    free(c);
    return st;
}

const ivl_impl ivl_check_impls[] = {
    { .name = "check.any",
      .op = IVL_ANY_OP,
      .rank = INT_MAX,
      .fits = fits,
      .scratch = scratch,
      .prepare = prepare,
      .run = run,
      .destroy = destroy },
};
