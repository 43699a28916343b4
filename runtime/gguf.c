/* Reading GGUF. The file is hostile until proven otherwise: lengths are compared with what is left before they are
 * used, products cannot overflow, memory taken is bounded by the file's own size. */
#include "runtime/gguf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"
#include "runtime/gguf_store.h"

enum { NEST = 4, NAME_LIMIT = 65535 };

/* --- bytes ---------------------------------------------------------------------------------------- */

typedef struct cursor { const char *file; const unsigned char *p, *end; } cursor;

static size_t left(const cursor *c) { return (size_t)(c->end - c->p); }

static ivl_status cut_off(const cursor *c, const char *what)
{
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: cut off or damaged: it ends within %s", c->file, what);
}

uint64_t ivl_gguf_whole(const unsigned char *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static ivl_status get(cursor *c, size_t bytes, const char *what, uint64_t *v_p)
{
    if (left(c) < bytes) return cut_off(c, what);
    *v_p = ivl_gguf_whole(c->p, bytes);
    c->p += bytes;
    return IVL_OK;
}

static ivl_status get_text(cursor *c, const char *what, ivl_gguf_text *t_p)
{
    uint64_t n = 0;
    IVL_TRY(get(c, 8, what, &n));
    if (n > left(c)) return cut_off(c, what);
    *t_p = (ivl_gguf_text){ (const char *)c->p, (size_t)n };
    c->p += n;
    return IVL_OK;
}

static char *copy(ivl_gguf_text t)
{
    char *s = malloc(t.n + 1);
    if (s) memcpy(s, t.p, t.n), s[t.n] = 0;
    return s;
}

/* A text without NUL, malloc'd. */
static ivl_status get_string(cursor *c, const char *what, size_t limit, char **s_p)
{
    ivl_gguf_text t = { 0 };
    IVL_TRY(get_text(c, what, &t));
    IVL_CHECK(t.n <= limit && !memchr(t.p, 0, t.n), IVL_EFORMAT, "%s: %s is %s", c->file, what,
              t.n > limit ? "too long" : "no text: it holds a NUL byte");
    char *s = copy(t);
    IVL_CHECK(s, IVL_ENOMEM, "out of memory");
    *s_p = s;
    return IVL_OK;
}

/* --- metadata ------------------------------------------------------------------------------------- */

static const struct { const char *name; size_t bytes; } kinds[IVL_GGUF_KINDS] = {
    [IVL_GGUF_U8] = { "u8", 1 },         [IVL_GGUF_I8] = { "i8", 1 },       [IVL_GGUF_U16] = { "u16", 2 },
    [IVL_GGUF_I16] = { "i16", 2 },       [IVL_GGUF_U32] = { "u32", 4 },     [IVL_GGUF_I32] = { "i32", 4 },
    [IVL_GGUF_F32] = { "f32", 4 },       [IVL_GGUF_BOOL] = { "bool", 1 },   [IVL_GGUF_STRING] = { "a string", 0 },
    [IVL_GGUF_ARRAY] = { "an array", 0 }, [IVL_GGUF_U64] = { "u64", 8 },    [IVL_GGUF_I64] = { "i64", 8 },
    [IVL_GGUF_F64] = { "f64", 8 },
};

const char *ivl_gguf_kind_name(ivl_gguf_kind k) { return kinds[k].name; }
size_t ivl_gguf_kind_bytes(ivl_gguf_kind k) { return kinds[k].bytes; }

static ivl_status get_kind(cursor *c, const char *key, ivl_gguf_kind *kind_p)
{
    uint64_t k = 0;
    IVL_TRY(get(c, 4, "metadata", &k));
    IVL_CHECK(k < IVL_GGUF_KINDS, IVL_EFORMAT, "%s: metadata '%.100s' is of the unknown type %llu", c->file, key,
              (unsigned long long)k);
    *kind_p = (ivl_gguf_kind)k;
    return IVL_OK;
}

static ivl_status skip_array(cursor *c, const char *key, int depth, ivl_gguf_kind *of_p, uint64_t *n_p);

/* n values of a kind. */
static ivl_status skip(cursor *c, const char *key, ivl_gguf_kind kind, uint64_t n, int depth)
{
    if (kinds[kind].bytes) {
        if (n > left(c) / kinds[kind].bytes) return cut_off(c, "metadata");
        c->p += n * kinds[kind].bytes;
        return IVL_OK;
    }
    for (uint64_t i = 0; i < n; i++) {
        ivl_gguf_text t;
        ivl_gguf_kind of;
        uint64_t m;
        if (kind == IVL_GGUF_STRING) IVL_TRY(get_text(c, "metadata", &t));
        else IVL_TRY(skip_array(c, key, depth + 1, &of, &m));
    }
    return IVL_OK;
}

static ivl_status skip_array(cursor *c, const char *key, int depth, ivl_gguf_kind *of_p, uint64_t *n_p)
{
    IVL_CHECK(depth <= NEST, IVL_EFORMAT, "%s: metadata '%.100s' nests arrays too deep", c->file, key);
    IVL_TRY(get_kind(c, key, of_p));
    IVL_TRY(get(c, 8, "metadata", n_p));
    return skip(c, key, *of_p, *n_p, depth);
}

static ivl_status parse_entry(cursor *c, ivl_gguf_entry *e)
{
    IVL_TRY(get_string(c, "a metadata key", NAME_LIMIT, &e->key));
    IVL_TRY(get_kind(c, e->key, &e->kind));
    e->at = c->p;
    if (e->kind == IVL_GGUF_STRING) IVL_TRY(get_string(c, e->key, left(c), &e->string));
    else if (e->kind == IVL_GGUF_ARRAY) {
        IVL_TRY(skip_array(c, e->key, 1, &e->of, &e->n));
    } else IVL_TRY(skip(c, e->key, e->kind, 1, 0));
    e->end = c->p;
    return IVL_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const ivl_gguf_entry *)a)->key, ((const ivl_gguf_entry *)b)->key);
}

static ivl_status parse_meta(ivl_gguf *f, cursor *c)
{
    for (int i = 0; i < f->n_meta; i++) {
        f->n_meta_filled = i + 1;
        IVL_TRY(parse_entry(c, &f->meta[i]));
    }
    if (f->n_meta) qsort(f->meta, (size_t)f->n_meta, sizeof *f->meta, by_key);
    for (int i = 1; i < f->n_meta; i++)
        IVL_CHECK(by_key(&f->meta[i - 1], &f->meta[i]), IVL_EFORMAT, "%s: metadata '%.100s' stands there twice",
                  f->name, f->meta[i].key);
    return IVL_OK;
}

const ivl_gguf_entry *ivl_gguf_entry_find(const ivl_gguf *f, const char *key)
{
    ivl_gguf_entry want = { .key = (char *)(uintptr_t)key };
    return f->n_meta ? bsearch(&want, f->meta, (size_t)f->n_meta, sizeof want, by_key) : NULL;
}

/* --- tensors -------------------------------------------------------------------------------------- */

/* Until all are known, `bytes` holds the place within the data section. */
static ivl_status parse_tensor(cursor *c, ivl_gguf_tensor *t)
{
    uint64_t rank = 0, type = 0, at = 0;
    char *name = NULL;
    IVL_TRY(get_string(c, "a tensor's name", NAME_LIMIT, &name));
    t->name = name, t->file = c->file, t->elements = 1;
    IVL_TRY(get(c, 4, name, &rank));
    IVL_CHECK(rank >= 1 && rank <= IVL_GGUF_RANK, IVL_EFORMAT, "%s: tensor '%.100s' has %llu dimensions, not 1 to %d",
              c->file, name, (unsigned long long)rank, IVL_GGUF_RANK);
    t->rank = (int)rank;
    for (int i = t->rank - 1; i >= 0; i--) {
        uint64_t d = 0;
        IVL_TRY(get(c, 8, name, &d));
        IVL_CHECK(d >= 1 && d <= INT64_MAX && !__builtin_mul_overflow(t->elements, (int64_t)d, &t->elements),
                  IVL_EFORMAT, "%s: tensor '%.100s': its dimensions are zero or overflow", c->file, name);
        t->dim[i] = (int64_t)d;
    }
    IVL_TRY(get(c, 4, name, &type));
    IVL_TRY(ivl_gguf_type_parse((uint32_t)type, c->file, name, &t->type));
    IVL_TRY(get(c, 8, name, &at));
    IVL_CHECK(at <= SIZE_MAX, IVL_EFORMAT, "%s: tensor '%.100s' lies beyond the file", c->file, name);
    t->bytes = (size_t)at;
    return IVL_OK;
}

static ivl_status place_tensor(ivl_gguf_tensor *t, const unsigned char *section, size_t room, size_t align)
{
    int block = ivl_dtype_block(t->type);
    size_t at = t->bytes, size = ivl_dtype_bytes(t->type, block);
    IVL_CHECK(t->dim[t->rank - 1] % block == 0, IVL_EFORMAT,
              "%s: tensor '%.100s': rows of %lld values are no multiple of %s's blocks of %d", t->file, t->name,
              (long long)t->dim[t->rank - 1], ivl_dtype_name(t->type), block);
    IVL_CHECK(at % align == 0, IVL_EFORMAT, "%s: tensor '%.100s' at byte %zu is not aligned to %zu", t->file, t->name,
              at, align);
    uint64_t blocks = (uint64_t)(t->elements / block);
    IVL_CHECK(at <= room && blocks <= (room - at) / size, IVL_EFORMAT,
              "%s: tensor '%.100s' ends beyond the file; the file is damaged or incomplete", t->file, t->name);
    t->data = section + at, t->bytes = (size_t)blocks * size;
    return IVL_OK;
}

static int by_place(const void *a, const void *b)
{
    const ivl_gguf_tensor *x = a, *y = b;
    return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : (uintptr_t)x->data > (uintptr_t)y->data;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ivl_gguf_tensor *)a)->name, ((const ivl_gguf_tensor *)b)->name);
}

static ivl_status check_tensors(ivl_gguf *f)
{
    if (f->n) qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_place);
    for (int i = 1; i < f->n; i++) {
        const ivl_gguf_tensor *a = &f->tensor[i - 1], *b = &f->tensor[i];
        IVL_CHECK((const char *)a->data + a->bytes <= (const char *)b->data, IVL_EFORMAT,
                  "%s: tensors '%.100s' and '%.100s' overlap", f->name, a->name, b->name);
    }
    if (f->n) qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_name);
    for (int i = 1; i < f->n; i++)
        IVL_CHECK(by_name(&f->tensor[i - 1], &f->tensor[i]), IVL_EFORMAT, "%s: two tensors are called '%.100s'",
                  f->name, f->tensor[i].name);
    return IVL_OK;
}

static ivl_status parse_tensors(ivl_gguf *f, cursor *c)
{
    int64_t align = IVL_GGUF_ALIGN;
    const unsigned char *base = f->map.data;
    for (int i = 0; i < f->n; i++) {
        f->n_filled = i + 1;
        IVL_TRY(parse_tensor(c, &f->tensor[i]));
    }
    IVL_TRY(ivl_gguf_int(f, "general.alignment", &align));
    IVL_CHECK(align >= 1 && align <= 1 << 20 && (align & (align - 1)) == 0, IVL_EFORMAT,
              "%s: general.alignment = %lld is no power of two up to 2^20", f->name, (long long)align);
    size_t at = (size_t)(c->p - base), start = (at + (size_t)align - 1) / (size_t)align * (size_t)align;
    if (start > f->map.bytes) start = f->map.bytes;
    size_t room = f->map.bytes - start;
    for (int i = 0; i < f->n; i++) IVL_TRY(place_tensor(&f->tensor[i], base + start, room, (size_t)align));
    return check_tensors(f);
}

/* --- the file ------------------------------------------------------------------------------------- */

bool ivl_gguf_is(const void *data, size_t n) { return n >= 4 && !memcmp(data, "GGUF", 4); }

/* Counts are believed only as far as the file has room for the shortest entries. */
static ivl_status parse_counts(ivl_gguf *f, cursor *c)
{
    enum { META_LEAST = 8 + 4 + 1, TENSOR_LEAST = 8 + 4 + 8 + 4 + 8 };
    uint64_t version = 0, tensors = 0, meta = 0;
    IVL_CHECK(ivl_gguf_is(c->p, left(c)), IVL_EFORMAT, "%s: no GGUF file", f->name);
    c->p += 4;
    IVL_TRY(get(c, 4, "its header", &version));
    IVL_CHECK(version & 0xffff, IVL_EUNSUPPORTED, "%s: a big-endian GGUF file; only little-endian ones are read",
              f->name);
    IVL_CHECK(version == 2 || version == 3, IVL_EUNSUPPORTED,
              "%s: GGUF version %llu; versions 2 and 3 are read: convert it again with a current tool", f->name,
              (unsigned long long)version);
    IVL_TRY(get(c, 8, "its header", &tensors));
    IVL_TRY(get(c, 8, "its header", &meta));
    IVL_CHECK(tensors <= left(c) / TENSOR_LEAST && meta <= left(c) / META_LEAST && tensors < INT_MAX && meta < INT_MAX,
              IVL_EFORMAT, "%s: %llu tensors and %llu metadata do not fit into its %zu bytes", f->name,
              (unsigned long long)tensors, (unsigned long long)meta, f->map.bytes);
    f->n = (int)tensors, f->n_meta = (int)meta;
    f->tensor = calloc((size_t)f->n + 1, sizeof *f->tensor);
    f->meta = calloc((size_t)f->n_meta + 1, sizeof *f->meta);
    IVL_CHECK(f->tensor && f->meta, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

/* f->map borrows or owns the bytes. */
static ivl_status parse(ivl_gguf *f)
{
    IVL_CHECK(f->map.bytes >= 24, IVL_EFORMAT, "%s: %zu bytes are no GGUF file", f->name, f->map.bytes);
    const unsigned char *p = f->map.data;
    cursor c = { f->name, p, p + f->map.bytes };
    int64_t parts = 0;
    IVL_TRY(parse_counts(f, &c));
    IVL_TRY(parse_meta(f, &c));
    IVL_TRY(ivl_gguf_int(f, "split.count", &parts));
    IVL_CHECK(parts <= 1, IVL_EUNSUPPORTED, "%s: one of %lld parts of a model; join them with `gguf-split --merge`",
              f->name, (long long)parts);
    return parse_tensors(f, &c);
}

static ivl_status open_bytes(ivl_map map, const char *name, bool own, ivl_gguf **f_p)
{
    ivl_gguf *f = calloc(1, sizeof *f);
    ivl_status s = IVL_OK;
    if (!f || !(f->name = strdup(name))) {
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        if (own) ivl_map_close(&map);
    } else {
        f->map = map, f->own = own;
        s = parse(f);
    }
    if (s == IVL_OK) *f_p = f;
    else ivl_gguf_close(f);
    return s;
}

ivl_status ivl_gguf_open(const char *path, ivl_gguf **f_p)
{
    ivl_map map = { 0 };
    IVL_TRY(ivl_map_open(path, &map));
    return open_bytes(map, path, true, f_p);
}

ivl_status ivl_gguf_open_memory(const void *data, size_t n, const char *name, ivl_gguf **f_p)
{
    return open_bytes((ivl_map){ (void *)(uintptr_t)data, n }, name, false, f_p);
}

void ivl_gguf_close(ivl_gguf *f)
{
    if (!f) return;
    for (int i = 0; i < f->n_meta_filled; i++) free(f->meta[i].key), free(f->meta[i].string);
    for (int i = 0; i < f->n_filled; i++) free((char *)(uintptr_t)f->tensor[i].name);
    if (f->own) ivl_map_close(&f->map);
    free(f->meta), free(f->tensor), free(f->name), free(f);
}

const char *ivl_gguf_name(const ivl_gguf *f) { return f->name; }
int ivl_gguf_count(const ivl_gguf *f) { return f->n; }
const ivl_gguf_tensor *ivl_gguf_at(const ivl_gguf *f, int i) { return &f->tensor[i]; }

const ivl_gguf_tensor *ivl_gguf_find(const ivl_gguf *f, const char *name)
{
    ivl_gguf_tensor want = { .name = name };
    return f->n ? bsearch(&want, f->tensor, (size_t)f->n, sizeof want, by_name) : NULL;
}
