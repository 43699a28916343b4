/* Parameters of heads: declared, laid out, filled, read from and written to files. */
#include "model/head_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"
#include "runtime/dtype.h"
#include "runtime/rng.h"

static ivl_dtype stat_of(ivl_dtype t) { return t == IVL_F64 ? IVL_F64 : IVL_F32; }

ivl_status ivl_heads_create(ivl_device *dev, ivl_dtype dtype, ivl_heads **h_p)
{
    ivl_heads *h = calloc(1, sizeof *h);
    IVL_CHECK(h, IVL_ENOMEM, "out of memory");
    h->dev = dev, h->dtype = dtype;
    *h_p = h;
    return IVL_OK;
}

void ivl_heads_destroy(ivl_heads *h)
{
    if (!h) return;
    ivl_release(h->value.buf), ivl_release(h->grad.buf), ivl_release(h->m.buf), ivl_release(h->v.buf);
    ivl_release(h->statistics);
    free(h->param), free(h);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

ivl_status ivl_heads_add(ivl_heads *h, const char *prefix, const char *name, int rank, const int64_t *dim)
{
    ivl_head_param p = { .rank = rank, .elements = 1 };
    int n = snprintf(p.name, sizeof p.name, "%s%s", prefix, name);
    IVL_CHECK(n < (int)sizeof p.name && rank >= 1 && rank <= 4, IVL_EFORMAT, "%s%s is no parameter of a head", prefix,
              name);
    for (int i = 0; i < rank; i++) p.dim[i] = dim[i], p.elements *= dim[i];
    IVL_CHECK(p.elements > 0, IVL_EFORMAT, "%s is empty", p.name);
    p.statistic = ends_with(name, "running_mean") || ends_with(name, "running_var");
    if (h->n == h->cap) {
        int cap = 2 * h->cap + 16;
        ivl_head_param *more = realloc(h->param, (size_t)cap * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory");
        h->param = more, h->cap = cap;
    }
    h->param[h->n++] = p;
    return IVL_OK;
}

ivl_status ivl_heads_add_norm(ivl_heads *h, const char *prefix, const char *module, int64_t width)
{
    static const char *const leaf[] = { "weight", "bias", "running_mean", "running_var" };
    char name[96];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s", module, leaf[i]);
        IVL_TRY(ivl_heads_add(h, prefix, name, 1, &width));
    }
    return IVL_OK;
}

ivl_status ivl_heads_add_probe(ivl_heads *h, const char *prefix, int64_t width, int64_t classes)
{
    IVL_TRY(ivl_heads_add_norm(h, prefix, "norm", 2 * width));
    IVL_TRY(ivl_heads_add(h, prefix, "head.weight", 2, (int64_t[]){ classes, 2 * width }));
    return ivl_heads_add(h, prefix, "head.bias", 1, &classes);
}

ivl_status ivl_heads_add_seg(ivl_heads *h, const char *prefix, int64_t width, int64_t classes)
{
    IVL_TRY(ivl_heads_add_norm(h, prefix, "norm", width));
    IVL_TRY(ivl_heads_add(h, prefix, "conv_seg.weight", 4, (int64_t[]){ classes, width, 1, 1 }));
    return ivl_heads_add(h, prefix, "conv_seg.bias", 1, &classes);
}

/* --- memory --------------------------------------------------------------------------------------- */

enum { ALIGN = 64 }; /* elements */
static int64_t padded(int64_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static ivl_status flat(ivl_device *dev, ivl_dtype t, int64_t n, const char *name, ivl_tensor *t_p)
{
    *t_p = ivl_tensor_make(t, 1, &n);
    t_p->name = name;
    IVL_TRY(ivl_alloc(dev, IVL_MEM_DEVICE, ivl_dtype_bytes(t, n), &t_p->buf));
    return IVL_OK;
}

static ivl_tensor part(const ivl_tensor *all, const ivl_head_param *p, int64_t at)
{
    ivl_tensor t = ivl_tensor_make(all->dtype, p->rank, p->dim);
    t.buf = all->buf, t.off = at, t.name = p->name;
    return t;
}

static ivl_status zero(ivl_device *dev, const ivl_buffer *b, int n)
{
    ivl_stream *s = NULL;
    IVL_TRY(ivl_stream_open(dev, &s));
    ivl_status st = IVL_OK;
    for (int i = 0; i < n && st == IVL_OK; i++)
        if (b[i].dev) st = ivl_fill(s, b[i], 0, b[i].bytes, 0);
    if (st == IVL_OK) st = ivl_sync(s);
    ivl_stream_close(s);
    return st;
}

ivl_status ivl_heads_alloc(ivl_heads *h, bool training)
{
    int64_t n = 0, n_stat = 0, at = 0, at_stat = 0;
    IVL_CHECK(!training || h->dtype == IVL_F32, IVL_EINVAL, "heads train in f32 only");
    for (int i = 0; i < h->n; i++) *(h->param[i].statistic ? &n_stat : &n) += padded(h->param[i].elements);
    ivl_tensor stat = { 0 };
    IVL_TRY(flat(h->dev, h->dtype, n, "heads", &h->value));
    IVL_TRY(flat(h->dev, stat_of(h->dtype), n_stat > 0 ? n_stat : ALIGN, "statistics", &stat));
    h->statistics = stat.buf;
    if (training) {
        IVL_TRY(flat(h->dev, h->dtype, n, "grad", &h->grad));
        IVL_TRY(flat(h->dev, h->dtype, n, "m", &h->m));
        IVL_TRY(flat(h->dev, h->dtype, n, "v", &h->v));
    }
    for (int i = 0; i < h->n; i++) {
        ivl_head_param *p = &h->param[i];
        int64_t *place = p->statistic ? &at_stat : &at;
        p->value = part(p->statistic ? &stat : &h->value, p, *place);
        if (training && !p->statistic)
            p->grad = part(&h->grad, p, *place), p->m = part(&h->m, p, *place), p->v = part(&h->v, p, *place);
        *place += padded(p->elements);
    }
    return zero(h->dev, (ivl_buffer[]){ h->value.buf, h->statistics, h->grad.buf, h->m.buf, h->v.buf }, 5);
}

const ivl_head_param *ivl_heads_find(const ivl_heads *h, const char *name)
{
    for (int i = 0; i < h->n; i++)
        if (!strcmp(h->param[i].name, name)) return &h->param[i];
    return NULL;
}

/* --- values --------------------------------------------------------------------------------------- */

static ivl_status write_param(const ivl_head_param *p, ivl_stream *s, const double *v)
{
    const ivl_tensor *t = &p->value;
    void *typed = malloc(ivl_dtype_bytes(t->dtype, p->elements));
    IVL_CHECK(typed, IVL_ENOMEM, "out of memory");
    ivl_convert(typed, t->dtype, v, IVL_F64, p->elements);
    ivl_status st =
        ivl_write(s, t->buf, ivl_dtype_bytes(t->dtype, t->off), ivl_dtype_bytes(t->dtype, p->elements), typed);
    if (st == IVL_OK) st = ivl_sync(s);
    free(typed);
    return st;
}

static ivl_status read_param(const ivl_head_param *p, ivl_stream *s, double *dst)
{
    const ivl_tensor *t = &p->value;
    void *typed = malloc(ivl_dtype_bytes(t->dtype, p->elements));
    IVL_CHECK(typed, IVL_ENOMEM, "out of memory");
    ivl_status st =
        ivl_read(s, t->buf, ivl_dtype_bytes(t->dtype, t->off), ivl_dtype_bytes(t->dtype, p->elements), typed);
    if (st == IVL_OK) ivl_convert(dst, IVL_F64, typed, t->dtype, p->elements);
    free(typed);
    return st;
}

ivl_status ivl_head_read(const ivl_heads *h, ivl_stream *s, const char *name, double *dst)
{
    const ivl_head_param *p = ivl_heads_find(h, name);
    IVL_CHECK(p, IVL_EINVAL, "the heads have no parameter %s", name);
    return read_param(p, s, dst);
}

static double fresh(const ivl_head_param *p, ivl_rng r, int64_t i)
{
    bool classifier = p->rank == 2 || ends_with(p->name, "conv_seg.weight");
    if (p->rank == 1) return ends_with(p->name, ".weight") || ends_with(p->name, "running_var") ? 1 : 0;
    double deviation = classifier ? 0.01 : sqrt(2 * (double)p->dim[0] / (double)p->elements);
    return deviation * ivl_rng_normal(r, 0, 0, (uint64_t)i);
}

ivl_status ivl_heads_init(const ivl_heads *h, ivl_stream *s, uint64_t seed)
{
    for (int i = 0; i < h->n; i++) {
        const ivl_head_param *p = &h->param[i];
        ivl_rng r = ivl_rng_make(seed, p->name);
        double *v = malloc((size_t)p->elements * sizeof *v);
        IVL_CHECK(v, IVL_ENOMEM, "out of memory");
        for (int64_t k = 0; k < p->elements; k++) v[k] = fresh(p, r, k);
        ivl_status st = write_param(p, s, v);
        free(v);
        IVL_TRY(st);
    }
    return IVL_OK;
}

/* --- files ---------------------------------------------------------------------------------------- */

static ivl_status declare(ivl_heads *h, const ivl_st *f, bool training, const char *path)
{
    for (int i = 0; i < ivl_st_count(f); i++) {
        const ivl_st_tensor *t = ivl_st_at(f, i);
        IVL_CHECK(t->rank >= 1 && t->rank <= 4, IVL_EFORMAT, "%s: %s has %d dimensions", path, t->name, t->rank);
        IVL_TRY(ivl_heads_add(h, "", t->name, t->rank, t->dim));
    }
    IVL_CHECK(h->n, IVL_EFORMAT, "%s: holds no tensor", path);
    return ivl_heads_alloc(h, training);
}

static ivl_status fill_from(const ivl_heads *h, const ivl_st *f, ivl_stream *s)
{
    for (int i = 0; i < h->n; i++) {
        const ivl_head_param *p = &h->param[i];
        double *v = malloc((size_t)p->elements * sizeof *v);
        IVL_CHECK(v, IVL_ENOMEM, "out of memory");
        ivl_status st = ivl_st_read(ivl_st_find(f, p->name), 0, p->elements, IVL_F64, v);
        if (st == IVL_OK) st = write_param(p, s, v);
        free(v);
        IVL_TRY(st);
    }
    return IVL_OK;
}

ivl_status ivl_heads_load(ivl_device *dev, ivl_stream *s, ivl_dtype dtype, bool training, const char *path,
                          ivl_heads **h_p)
{
    ivl_st *f = NULL;
    ivl_heads *h = NULL;
    ivl_status st = ivl_st_open(path, &f);
    if (st == IVL_OK) st = ivl_heads_create(dev, dtype, &h);
    if (st == IVL_OK) st = declare(h, f, training, path);
    if (st == IVL_OK) st = fill_from(h, f, s);
    ivl_st_close(f);
    if (st == IVL_OK) *h_p = h;
    else ivl_heads_destroy(h);
    return st;
}

typedef struct saved { const ivl_heads *h; ivl_stream *s; } saved;

static ivl_status fill_item(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    const saved *c = item->ctx;
    const ivl_head_param *p = ivl_heads_find(c->h, item->name);
    double *v = malloc((size_t)p->elements * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    ivl_status st = read_param(p, c->s, v);
    if (st == IVL_OK) ivl_convert(dst, IVL_F32, v + first, IVL_F64, n);
    free(v);
    return st;
}

ivl_status ivl_heads_save(const ivl_heads *h, ivl_stream *s, const char *path)
{
    saved c = { h, s };
    ivl_st_item *item = calloc((size_t)h->n + 1, sizeof *item);
    IVL_CHECK(item, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < h->n; i++) {
        item[i] = (ivl_st_item){ .name = h->param[i].name, .type = IVL_ST_F32, .rank = h->param[i].rank,
                                 .fill = fill_item, .ctx = &c };
        memcpy(item[i].dim, h->param[i].dim, sizeof h->param[i].dim);
    }
    ivl_status st = ivl_st_save(path, item, h->n, NULL, 0);
    free(item);
    return st;
}
