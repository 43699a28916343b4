/* Where parameters lie:
 *
 *   weights    [ trainable: image decay | image no decay | text ... | other ... ][ frozen ]
 *   gradient   [ the same                                                       ]
 *   master, m, v the same; each cut at the same places into slabs that the device can allocate
 *
 * Every parameter starts at a multiple of PAD elements; the gaps stay zero, and zero is a fixed point of
 * AdamW, so flat kernels need not know of them. Quantised parameters lie apart, each in an allocation of its own. */
#include "model/params_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"

enum { PAD = 64 }; /* elements: 128 bytes of 16-bit weights, the largest alignment met */

static int64_t padded(int64_t n) { return (n + PAD - 1) / PAD * PAD; }

static ivl_tensor *kind_of_param(ivl_param *q, int k)
{
    ivl_tensor *t[IVL_KINDS] = { &q->value, &q->grad, &q->master, &q->m, &q->v };
    return t[k];
}

static ivl_tensor *kind_of_range(ivl_range *r, int k)
{
    ivl_tensor *t[IVL_KINDS] = { &r->value, &r->grad, &r->master, &r->m, &r->v };
    return t[k];
}

/* --- order ---------------------------------------------------------------------------------------- */

static bool in_blocks(const ivl_param *q) { return ivl_dtype_block(q->blocks) > 1; }

/* `first` still holds the number of the row, which is block order. */
static int by_range(const void *a, const void *b)
{
    const ivl_param *x = a, *y = b;
    if (in_blocks(x) != in_blocks(y)) return in_blocks(x) ? 1 : -1;
    if (x->trainable != y->trainable) return x->trainable ? -1 : 1;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->decay != y->decay) return x->decay ? -1 : 1;
    return x->first < y->first ? -1 : 1;
}

static int by_name(const void *a, const void *b, void *params)
{
    const ivl_param *q = ((const ivl_params *)params)->param;
    return strcmp(q[*(const int *)a].name, q[*(const int *)b].name);
}

static void order(ivl_params *p)
{
    for (int i = 0; i < p->n; i++) p->param[i].first = i;
    qsort(p->param, (size_t)p->n, sizeof *p->param, by_range);
    p->elements = p->trainable = p->store->n_flat = 0;
    for (int i = 0; i < p->n; i++) {
        ivl_param *q = &p->param[i];
        q->first = p->elements;
        q->value = ivl_tensor_make(q->blocks, q->rank, q->dim);
        q->value.name = q->name;
        if (in_blocks(q)) continue;
        p->store->n_flat++;
        p->elements += padded(q->elements);
        if (q->trainable) p->trainable = p->elements;
    }
    for (int i = 0; i < p->n; i++) p->store->by_name[i] = i;
    qsort_r(p->store->by_name, (size_t)p->n, sizeof *p->store->by_name, by_name, p);
}

/* --- cutting -------------------------------------------------------------------------------------- */

static bool joins(const ivl_params *p, const ivl_range *r, const ivl_param *q)
{
    return r->trainable == q->trainable && r->group == q->group && r->decay == q->decay &&
           (!p->store->layerwise || (r->layer == q->layer && r->depth == q->depth));
}

static void forget_names(ivl_params *p)
{
    for (int i = 0; i < p->n_ranges; i++) free((char *)(uintptr_t)p->range[i].value.name);
    p->n_ranges = p->store->n_slabs = 0;
}

/* Slabs of at most max[trainable] elements, and ranges, which end where slabs do. */
static ivl_status cut(ivl_params *p, const int64_t max[2])
{
    ivl_params_store *st = p->store;
    forget_names(p);
    for (int i = 0; i < st->n_flat; i++) {
        const ivl_param *q = &p->param[i];
        int64_t n = padded(q->elements), limit = max[q->trainable];
        IVL_CHECK(n <= limit, IVL_ENOMEM, "%s has %lld elements; one allocation of this device holds %lld",
                  q->name, (long long)q->elements, (long long)limit);
        ivl_slab *b = st->n_slabs ? &st->slab[st->n_slabs - 1] : NULL;
        bool fresh = !b || b->trainable != q->trainable || b->elements + n > limit;
        if (fresh) {
            b = &st->slab[st->n_slabs++];
            *b = (ivl_slab){ .first = q->first, .trainable = q->trainable };
        }
        ivl_range *r = p->n_ranges ? &p->range[p->n_ranges - 1] : NULL;
        if (fresh || !joins(p, r, q)) {
            r = &p->range[p->n_ranges++];
            *r = (ivl_range){ .first = q->first,
                              .trainable = q->trainable,
                              .decay = q->decay,
                              .group = q->group,
                              .layer = st->layerwise ? q->layer : -1,
                              .depth = q->depth };
        }
        b->elements += n, r->elements += n;
    }
    return IVL_OK;
}

ivl_status ivl_params_layout(ivl_params *p, const ivl_params_options *o)
{
    size_t n = (size_t)p->n + 1;
    ivl_params_store *st = p->store = calloc(1, sizeof *p->store);
    if (st) st->slab = calloc(n, sizeof *st->slab), st->by_name = calloc(n, sizeof *st->by_name);
    if (st) st->blocks = calloc(n, sizeof *st->blocks);
    p->range = calloc(n, sizeof *p->range); /* at most one slab and one range per parameter */
    IVL_CHECK(st && st->slab && st->by_name && st->blocks && p->range, IVL_ENOMEM, "out of memory");
    st->layerwise = o->layerwise;
    order(p);
    return cut(p, (int64_t[]){ INT64_MAX, INT64_MAX });
}

ivl_status ivl_params_keep_blocks(ivl_params *p, ivl_dtype (*type)(void *ctx, const ivl_param *q), void *ctx)
{
    IVL_CHECK(!p->store->allocated, IVL_EINVAL, "these parameters are allocated already");
    for (int i = 0; i < p->n; i++) {
        ivl_param *q = &p->param[i];
        ivl_dtype t = type(ctx, q);
        int block = ivl_dtype_block(t);
        IVL_CHECK(block == 1 || (!q->trainable && q->rank == 2 && q->dim[1] % block == 0), IVL_EUNSUPPORTED,
                  "%s: only frozen matrices whose rows are whole blocks stay quantised", q->name);
        q->blocks = block > 1 ? t : IVL_F32;
    }
    order(p);
    return cut(p, (int64_t[]){ INT64_MAX, INT64_MAX });
}

static void names_free(ivl_param *q)
{
    if (q->file != q->name) free((char *)(uintptr_t)q->file);
    free((char *)(uintptr_t)q->name);
}

const ivl_param *ivl_params_find_file(const ivl_params *p, const char *file)
{
    const ivl_param *same = ivl_params_find(p, file);
    if (same && !strcmp(same->file, file)) return same;
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->param[i].file, file)) return &p->param[i];
    return NULL;
}

const ivl_param *ivl_params_find(const ivl_params *p, const char *name)
{
    for (int lo = 0, hi = p->n; lo < hi;) {
        int mid = (lo + hi) / 2;
        const ivl_param *q = &p->param[p->store->by_name[mid]];
        int c = strcmp(name, q->name);
        if (!c) return q;
        if (c < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

/* --- memory --------------------------------------------------------------------------------------- */

static const char *const prefix[IVL_KINDS] = { "", "grad:", "master:", "m:", "v:" };

/* Names of all kinds in one block: "NAME", "grad:NAME", ...; the first is the block. */
static char *make_names(const char *name, const char *out[IVL_KINDS])
{
    size_t n = strlen(name) + 16;
    char *block = malloc(IVL_KINDS * n);
    for (size_t k = 0; block && k < IVL_KINDS; k++) {
        snprintf(block + k * n, n, "%s%s", prefix[k], name);
        out[k] = block + k * n;
    }
    return block;
}

/* Which kinds a slab has, and their type. Statistics are f32, those of f64 are f64. */
typedef struct kinds { bool has[IVL_KINDS]; ivl_dtype dtype[IVL_KINDS]; bool one_memory; } kinds;

static kinds kinds_of(ivl_dtype dtype, bool training)
{
    ivl_dtype stat = dtype == IVL_F64 ? IVL_F64 : IVL_F32;
    kinds k = { .one_memory = dtype == stat };
    for (int i = 0; i < IVL_KINDS; i++) k.has[i] = i == 0 || training, k.dtype[i] = i ? stat : dtype;
    return k;
}

static ivl_status name_all(ivl_params *p, const char **names[2])
{
    static const char *const group[IVL_GROUPS] = { "image", "text", "other" };
    for (int i = 0; i < p->n; i++) {
        const char *out[IVL_KINDS];
        char *block = make_names(p->param[i].name, out);
        IVL_CHECK(block, IVL_ENOMEM, "out of memory");
        if (p->param[i].file == p->param[i].name) p->param[i].file = block;
        free((char *)(uintptr_t)p->param[i].name);
        p->param[i].name = p->param[i].value.name = block;
        memcpy(&names[0][i * IVL_KINDS], out, sizeof out);
    }
    for (int i = 0; i < p->n_ranges; i++) {
        const ivl_range *r = &p->range[i];
        const char *out[IVL_KINDS];
        char text[64];
        snprintf(text, sizeof text, "range %d: %s%s", i, group[r->group], r->decay ? "" : ", no decay");
        p->range[i].value.name = make_names(text, out);
        IVL_CHECK(p->range[i].value.name, IVL_ENOMEM, "out of memory");
        memcpy(&names[1][i * IVL_KINDS], out, sizeof out);
    }
    return IVL_OK;
}

static void place(ivl_tensor *t, ivl_tensor shape, const ivl_slab *b, int k, int64_t first, const char *name)
{
    *t = shape;
    t->buf = b->buf[k];
    t->off = first - b->first;
    t->name = name;
}

static void place_all(ivl_params *p, const kinds *k, const char **names[2])
{
    const ivl_params_store *st = p->store;
    const ivl_slab *b = st->slab;
    for (int i = st->n_flat; i < p->n; i++) {
        p->param[i].value.buf = st->blocks[i];
        p->param[i].value.name = names[0][i * IVL_KINDS];
    }
    for (int i = 0; i < st->n_flat; i++) {
        ivl_param *q = &p->param[i];
        while (q->first >= b->first + b->elements) b++;
        for (int j = 0; j < IVL_KINDS; j++)
            if (j == 0 || (q->trainable && k->has[j]))
                place(kind_of_param(q, j), ivl_tensor_make(k->dtype[j], q->rank, q->dim), b, j, q->first,
                      names[0][i * IVL_KINDS + j]);
        if (q->trainable && k->has[2] && k->one_memory) q->master = q->value;
    }
    b = st->slab;
    for (int i = 0; i < p->n_ranges; i++) {
        ivl_range *r = &p->range[i];
        while (r->first >= b->first + b->elements) b++;
        for (int j = 0; j < IVL_KINDS; j++)
            if (j == 0 || (r->trainable && k->has[j]))
                place(kind_of_range(r, j), ivl_tensor_make(k->dtype[j], 1, &r->elements), b, j, r->first,
                      names[1][i * IVL_KINDS + j]);
        if (r->trainable && k->has[2] && k->one_memory) r->master = r->value;
    }
}

static bool has_kind(const ivl_slab *b, const kinds *k, int j)
{
    return !j || (b->trainable && k->has[j] && (j != 2 || !k->one_memory));
}

static size_t block_bytes(const ivl_param *q) { return ivl_dtype_bytes(q->blocks, q->elements); }

/* Before anything is taken: a host that promises more than it has would kill the program later. */
static ivl_status check_room(const ivl_params *p, const ivl_device *dev, const kinds *k)
{
    size_t all = 0, room = ivl_device_caps(dev)->mem_bytes;
    for (int i = 0; i < p->store->n_slabs; i++)
        for (int j = 0; j < IVL_KINDS; j++)
            if (has_kind(&p->store->slab[i], k, j))
                all += ivl_dtype_bytes(k->dtype[j], p->store->slab[i].elements);
    for (int i = p->store->n_flat; i < p->n; i++) all += block_bytes(&p->param[i]);
    IVL_CHECK(!room || all <= room, IVL_ENOMEM,
              "%s: %zu MiB for the model's %s, and %zu MiB are there: take a smaller model or another device",
              dev->spec, all >> 20, k->has[1] ? "weights, gradients and moments" : "weights", room >> 20);
    return IVL_OK;
}

static ivl_status allocate(ivl_params *p, ivl_device *dev, ivl_stream *s, const kinds *k)
{
    IVL_TRY(check_room(p, dev, k));
    for (int i = p->store->n_flat; i < p->n; i++)
        IVL_TRY(ivl_alloc(dev, IVL_MEM_DEVICE, block_bytes(&p->param[i]), &p->store->blocks[i]));
    for (int i = 0; i < p->store->n_slabs; i++) {
        ivl_slab *b = &p->store->slab[i];
        for (int j = 0; j < IVL_KINDS; j++) {
            if (!has_kind(b, k, j)) continue;
            size_t bytes = ivl_dtype_bytes(k->dtype[j], b->elements);
            IVL_TRY(ivl_alloc(dev, IVL_MEM_DEVICE, bytes, &b->buf[j]));
            IVL_TRY(ivl_fill(s, b->buf[j], 0, bytes, 0));
        }
    }
    return ivl_sync(s);
}

static ivl_status lay_out(ivl_params *p, ivl_device *dev, const ivl_caps *caps, ivl_dtype dtype,
                          bool training)
{
    IVL_CHECK(dtype == IVL_F32 || dtype == IVL_BF16 || dtype == IVL_F16 || dtype == IVL_F64, IVL_EUNSUPPORTED,
              "weights are f32, bf16, f16 or f64, not %s", ivl_dtype_name(dtype));
    IVL_CHECK(!p->store->allocated, IVL_EINVAL, "these parameters are allocated already");
    IVL_CHECK(dtype == IVL_F32 || p->store->n_flat == p->n, IVL_EUNSUPPORTED,
              "quantised weights go with values in f32, not in %s", ivl_dtype_name(dtype));
    kinds k = kinds_of(dtype, training);
    int64_t max = caps && caps->max_alloc ? (int64_t)caps->max_alloc : INT64_MAX;
    ivl_stream *s = NULL;
    IVL_TRY(cut(p, (int64_t[]){ max / (int64_t)ivl_dtype_bytes(dtype, 1),
                                max / (int64_t)ivl_dtype_bytes(training ? k.dtype[1] : dtype, 1) }));
    p->dtype = dtype, p->store->allocated = true;
    const char **names[2] = { calloc((size_t)p->n * IVL_KINDS + 1, sizeof *names[0]),
                              calloc((size_t)p->n_ranges * IVL_KINDS + 1, sizeof *names[1]) };
    ivl_status st =
        names[0] && names[1] ? name_all(p, names) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (st == IVL_OK && dev) st = ivl_stream_open(dev, &s);
    if (st == IVL_OK && dev) st = allocate(p, dev, s, &k);
    if (st == IVL_OK) place_all(p, &k, names);
    ivl_stream_close(s);
    free(names[0]), free(names[1]);
    return st;
}

ivl_status ivl_params_alloc(ivl_params *p, ivl_device *dev, ivl_dtype dtype, bool training)
{
    return lay_out(p, dev, ivl_device_caps(dev), dtype, training);
}

ivl_status ivl_params_plan(ivl_params *p, const ivl_caps *caps, ivl_dtype dtype, bool training)
{
    return lay_out(p, NULL, caps, dtype, training);
}

void ivl_params_destroy(ivl_params *p)
{
    if (!p) return;
    for (int i = 0; i < p->n; i++) names_free(&p->param[i]);
    for (int i = 0; p->store && i < p->store->n_slabs; i++)
        for (int j = 0; j < IVL_KINDS; j++) ivl_release(p->store->slab[i].buf[j]);
    for (int i = 0; p->store && p->store->blocks && i < p->n; i++) ivl_release(p->store->blocks[i]);
    if (p->store) {
        forget_names(p);
        free(p->store->blocks);
        free(p->store->slab), free(p->store->by_name), free(p->store);
    }
    free(p->param), free(p->range), free(p);
}
