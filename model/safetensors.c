/* Reading safetensors. The file is hostile until proven otherwise: lengths are compared before they are used,
 * products and sums cannot overflow, and tensors must tile the buffer without hole or overlap, as the format
 * demands. */
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/json.h"
#include "runtime/dtype.h"
#include "runtime/file.h"

enum { HEADER_LIMIT = 100 << 20, INDEX_LIMIT = 256 << 20, FILES_LIMIT = 4096 };

static const struct { const char *name; size_t bytes; ivl_dtype dtype; } types[IVL_ST_TYPES] = {
    [IVL_ST_F64] = { "F64", 8, IVL_F64 }, [IVL_ST_F32] = { "F32", 4, IVL_F32 },
    [IVL_ST_F16] = { "F16", 2, IVL_F16 }, [IVL_ST_BF16] = { "BF16", 2, IVL_BF16 },
    [IVL_ST_I64] = { "I64", 8, IVL_F64 }, [IVL_ST_I32] = { "I32", 4, IVL_I32 },
    [IVL_ST_U8] = { "U8", 1, IVL_U8 },    [IVL_ST_BOOL] = { "BOOL", 1, IVL_U8 },
};

const char *ivl_st_type_name(ivl_st_type t) { return types[t].name; }
size_t ivl_st_type_bytes(ivl_st_type t) { return types[t].bytes; }

ivl_st_type ivl_st_type_of(ivl_dtype t)
{
    switch (t) {
    case IVL_F64: return IVL_ST_F64;
    case IVL_F16: return IVL_ST_F16;
    case IVL_BF16: return IVL_ST_BF16;
    case IVL_I32: return IVL_ST_I32;
    case IVL_U8: return IVL_ST_U8;
    default: return IVL_ST_F32;
    }
}

/* Names of tensors live in the header. */
typedef struct st_file { char *name; ivl_map map; json_t *header; } st_file;

struct ivl_st {
    st_file       *file;
    int            n_files, n, cap;
    ivl_st_tensor *tensor;
};

/* --- one tensor ----------------------------------------------------------------------------------- */

static ivl_status parse_type(const char *file, const char *name, const json_t *entry, ivl_st_type *type_p)
{
    const char *word = json_string_value(json_object_get(entry, "dtype"));
    IVL_CHECK(word, IVL_EFORMAT, "%s: tensor '%.100s' has no dtype", file, name);
    for (int i = 0; i < IVL_ST_TYPES; i++)
        if (!strcmp(word, types[i].name)) {
            *type_p = (ivl_st_type)i;
            return IVL_OK;
        }
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__,
                    "%s: tensor '%.100s' is of type %.20s; known are F64, F32, F16, BF16, I64, I32, U8, BOOL",
                    file, name, word);
}

static ivl_status parse_shape(const char *file, const char *name, const json_t *entry, ivl_st_tensor *t)
{
    const json_t *shape = json_object_get(entry, "shape");
    size_t rank = json_array_size(shape);
    IVL_CHECK(json_is_array(shape) && rank <= IVL_ST_RANK, IVL_EFORMAT,
              "%s: tensor '%.100s' has no shape of at most %d dimensions", file, name, IVL_ST_RANK);
    t->rank = (int)rank, t->elements = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *d = json_array_get(shape, i);
        IVL_CHECK(json_is_integer(d) && json_integer_value(d) >= 0, IVL_EFORMAT,
                  "%s: tensor '%.100s': dimension %zu is no whole number", file, name, i);
        t->dim[i] = json_integer_value(d);
        IVL_CHECK(!__builtin_mul_overflow(t->elements, t->dim[i], &t->elements), IVL_EFORMAT,
                  "%s: tensor '%.100s': its dimensions overflow", file, name);
    }
    return IVL_OK;
}

/* Where it lies in a buffer of `room` bytes. */
static ivl_status parse_offsets(const char *file, const char *name, const json_t *entry, size_t room,
                                ivl_st_tensor *t, size_t *begin_p)
{
    const json_t *at = json_object_get(entry, "data_offsets"), *a = json_array_get(at, 0),
                 *b = json_array_get(at, 1);
    IVL_CHECK(json_array_size(at) == 2 && json_is_integer(a) && json_is_integer(b), IVL_EFORMAT,
              "%s: tensor '%.100s' has no data_offsets [begin, end]", file, name);
    json_int_t begin = json_integer_value(a), end = json_integer_value(b);
    IVL_CHECK(begin >= 0 && begin <= end && (uint64_t)end <= room, IVL_EFORMAT,
              "%s: tensor '%.100s' lies at bytes %lld to %lld of a buffer of %zu; the file is damaged or "
              "incomplete",
              file, name, (long long)begin, (long long)end, room);
    t->bytes = (size_t)(end - begin);
    size_t want = 0;
    IVL_CHECK(!__builtin_mul_overflow((size_t)t->elements, types[t->type].bytes, &want) && want == t->bytes,
              IVL_EFORMAT, "%s: tensor '%.100s' takes %zu bytes, but its shape and type %s need %zu", file,
              name, t->bytes, types[t->type].name, want);
    *begin_p = (size_t)begin;
    return IVL_OK;
}

/* --- one file ------------------------------------------------------------------------------------- */

static ivl_st_tensor *append(ivl_st *f)
{
    if (f->n == f->cap) {
        int cap = f->cap ? 2 * f->cap : 128;
        ivl_st_tensor *t = realloc(f->tensor, (size_t)cap * sizeof *t);
        if (!t) return NULL;
        f->tensor = t, f->cap = cap;
    }
    f->tensor[f->n] = (ivl_st_tensor){ 0 };
    return &f->tensor[f->n++];
}

static int by_place(const void *a, const void *b)
{
    const ivl_st_tensor *x = a, *y = b;
    if (x->data != y->data) return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static ivl_status check_tiling(const char *name, ivl_st_tensor *t, int n, const char *buffer, size_t room)
{
    size_t at = 0;
    if (n) qsort(t, (size_t)n, sizeof *t, by_place);
    for (int i = 0; i < n; i++) {
        size_t begin = (size_t)((const char *)t[i].data - buffer);
        IVL_CHECK(begin >= at, IVL_EFORMAT, "%s: tensors '%.100s' and '%.100s' overlap", name,
                  t[i - !!i].name, t[i].name);
        IVL_CHECK(begin <= at, IVL_EFORMAT, "%s: %zu bytes before tensor '%.100s' belong to no tensor", name,
                  begin - at, t[i].name);
        at = begin + t[i].bytes;
    }
    IVL_CHECK(at == room, IVL_EFORMAT, "%s: %zu bytes at its end belong to no tensor", name, room - at);
    return IVL_OK;
}

static ivl_status check_meta(const char *name, const json_t *meta)
{
    const char *key;
    json_t *v;
    IVL_CHECK(!meta || json_is_object(meta), IVL_EFORMAT, "%s: __metadata__ is no object", name);
    json_object_foreach((json_t *)(uintptr_t)meta, key, v)
        IVL_CHECK(json_is_string(v), IVL_EFORMAT, "%s: __metadata__ '%.100s' is no string", name, key);
    return IVL_OK;
}

static ivl_status add_tensors(ivl_st *f, const st_file *from, const char *buffer, size_t room)
{
    const char *name;
    json_t *entry;
    int first = f->n;
    IVL_TRY(check_meta(from->name, json_object_get(from->header, "__metadata__")));
    json_object_foreach(from->header, name, entry) {
        if (!strcmp(name, "__metadata__")) continue;
        size_t begin = 0;
        ivl_st_tensor *t = append(f);
        IVL_CHECK(t, IVL_ENOMEM, "out of memory");
        t->name = name, t->file = from->name;
        IVL_TRY(parse_type(from->name, name, entry, &t->type));
        IVL_TRY(parse_shape(from->name, name, entry, t));
        IVL_TRY(parse_offsets(from->name, name, entry, room, t, &begin));
        t->data = buffer + begin;
    }
    return check_tiling(from->name, f->n > first ? &f->tensor[first] : NULL, f->n - first, buffer, room);
}

/* The bytes of the last file of f. */
static ivl_status parse_file(ivl_st *f, const char *data, size_t n)
{
    st_file *last = &f->file[f->n_files - 1];
    const char *name = last->name;
    uint64_t header = 0;
    IVL_CHECK(n >= 8, IVL_EFORMAT, "%s: %zu bytes are no safetensors file", name, n);
    for (int i = 0; i < 8; i++) header |= (uint64_t)(unsigned char)data[i] << 8 * i;
    IVL_CHECK(header <= HEADER_LIMIT, IVL_EFORMAT,
              "%s: no safetensors file, or a header of %llu bytes, more than the %d allowed", name,
              (unsigned long long)header, HEADER_LIMIT);
    IVL_CHECK(header <= n - 8, IVL_EFORMAT, "%s: cut off: its header has %llu bytes, the file %zu", name,
              (unsigned long long)header, n);
    IVL_CHECK(header && data[8] == '{', IVL_EFORMAT, "%s: no safetensors file: its header is no JSON object",
              name);
    IVL_TRY(ivl_json_parse(data + 8, (size_t)header, name, &last->header));
    return add_tensors(f, last, data + 8 + header, n - 8 - (size_t)header);
}

static ivl_status add_file(ivl_st *f, const char *name)
{
    st_file *files = realloc(f->file, (size_t)(f->n_files + 1) * sizeof *files);
    IVL_CHECK(files, IVL_ENOMEM, "out of memory");
    f->file = files;
    f->file[f->n_files++] = (st_file){ .name = strdup(name) };
    IVL_CHECK(f->file[f->n_files - 1].name, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

static ivl_status map_file(ivl_st *f, const char *path)
{
    IVL_TRY(add_file(f, path));
    ivl_map *map = &f->file[f->n_files - 1].map;
    IVL_TRY(ivl_map_open(path, map));
    return parse_file(f, map->data, map->bytes);
}

/* --- all files ------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ivl_st_tensor *)a)->name, ((const ivl_st_tensor *)b)->name);
}

static ivl_status sort_names(ivl_st *f)
{
    if (f->n) qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_name);
    for (int i = 1; i < f->n; i++)
        IVL_CHECK(by_name(&f->tensor[i - 1], &f->tensor[i]), IVL_EFORMAT,
                  "tensor '%.100s' is both in %s and %s", f->tensor[i].name, f->tensor[i - 1].file,
                  f->tensor[i].file);
    return IVL_OK;
}

/* Hands f over, or cleans up after a failure. */
static ivl_status finish(ivl_st *f, ivl_status s, ivl_st **f_p)
{
    if (s == IVL_OK) s = sort_names(f);
    if (s == IVL_OK) *f_p = f;
    else ivl_st_close(f);
    return s;
}

static ivl_st *create(void)
{
    ivl_st *f = calloc(1, sizeof *f);
    if (!f) ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    return f;
}

ivl_status ivl_st_open(const char *path, ivl_st **f_p)
{
    ivl_st *f = create();
    return f ? finish(f, map_file(f, path), f_p) : IVL_ENOMEM;
}

ivl_status ivl_st_open_memory(const void *data, size_t n, const char *name, ivl_st **f_p)
{
    ivl_st *f = create();
    if (!f) return IVL_ENOMEM;
    ivl_status s = add_file(f, name);
    return finish(f, s == IVL_OK ? parse_file(f, data, n) : s, f_p);
}

static bool plain_name(const char *s) { return *s && *s != '.' && !strchr(s, '/'); }

static ivl_status open_shard(ivl_st *f, const char *dir, const char *index, const char *name)
{
    IVL_CHECK(plain_name(name), IVL_EFORMAT, "%s: '%.100s' is no name of a file beside it", index, name);
    for (int i = 0; i < f->n_files; i++)
        if (!strcmp(f->file[i].name + strlen(dir) + 1, name)) return IVL_OK;
    IVL_CHECK(f->n_files < FILES_LIMIT, IVL_EFORMAT, "%s: names more than %d files", index, FILES_LIMIT);
    char *path = ivl_path_join(dir, name);
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = map_file(f, path);
    free(path);
    return s;
}

static ivl_status open_index(ivl_st *f, const char *dir, const char *index)
{
    const char *name;
    json_t *root = NULL, *v;
    IVL_TRY(ivl_json_load(index, INDEX_LIMIT, &root));
    json_t *map = json_object_get(root, "weight_map");
    ivl_status s = IVL_OK;
    if (!json_is_object(map))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: has no object weight_map", index);
    json_object_foreach(map, name, v) {
        if (s != IVL_OK) break;
        if (json_is_string(v)) s = open_shard(f, dir, index, json_string_value(v));
        else
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: weight_map '%.100s' is no string", index,
                         name);
    }
    if (s == IVL_OK) s = sort_names(f);
    json_object_foreach(map, name, v) {
        if (s != IVL_OK) break;
        const ivl_st_tensor *t = ivl_st_find(f, name);
        if (!t || strcmp(t->file + strlen(dir) + 1, json_string_value(v)))
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: tensor '%.100s' is not in %.100s", index, name,
                         json_string_value(v));
    }
    json_decref(root);
    return s;
}

ivl_status ivl_st_open_dir(const char *dir, ivl_st **f_p)
{
    char *index = ivl_path_join(dir, "model.safetensors.index.json"),
         *single = ivl_path_join(dir, "model.safetensors");
    ivl_st *f = index && single ? calloc(1, sizeof *f) : NULL;
    ivl_status s = IVL_OK;
    if (!f) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (!access(index, F_OK)) s = finish(f, open_index(f, dir, index), f_p);
    else if (!access(single, F_OK)) s = finish(f, map_file(f, single), f_p);
    else {
        ivl_st_close(f);
        s = ivl_fail(IVL_EIO, __FILE__, __LINE__,
                     "%s: no model here: neither model.safetensors nor model.safetensors.index.json", dir);
    }
    free(index), free(single);
    return s;
}

void ivl_st_close(ivl_st *f)
{
    if (!f) return;
    for (int i = 0; i < f->n_files; i++) {
        json_decref(f->file[i].header);
        ivl_map_close(&f->file[i].map);
        free(f->file[i].name);
    }
    free(f->file), free(f->tensor), free(f);
}

/* --- tensors -------------------------------------------------------------------------------------- */

int ivl_st_count(const ivl_st *f) { return f->n; }
const ivl_st_tensor *ivl_st_at(const ivl_st *f, int i) { return i >= 0 && i < f->n ? &f->tensor[i] : NULL; }

const ivl_st_tensor *ivl_st_find(const ivl_st *f, const char *name)
{
    ivl_st_tensor key = { .name = name };
    return f->n ? bsearch(&key, f->tensor, (size_t)f->n, sizeof key, by_name) : NULL;
}

const char *ivl_st_meta(const ivl_st *f, const char *key)
{
    for (int i = 0; i < f->n_files; i++) {
        const char *v =
            json_string_value(json_object_get(json_object_get(f->file[i].header, "__metadata__"), key));
        if (v) return v;
    }
    return NULL;
}

/* n whole numbers, n <= PIECE, of I64 or BOOL. */
static ivl_status put_whole(const ivl_st_tensor *t, const char *src, int64_t n, ivl_dtype to, void *dst)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t v = src[i] != 0;
        if (t->type == IVL_ST_I64) memcpy(&v, src + 8 * i, 8);
        IVL_CHECK(to != IVL_I32 || (v >= INT32_MIN && v <= INT32_MAX), IVL_EFORMAT,
                  "%s: tensor '%.100s' holds %lld, too large for 32 bits", t->file, t->name, (long long)v);
        ivl_store(dst, to, i, (double)v);
    }
    return IVL_OK;
}

ivl_status ivl_st_read(const ivl_st_tensor *t, int64_t first, int64_t n, ivl_dtype to, void *dst)
{
    IVL_CHECK(first >= 0 && n >= 0 && first <= t->elements && n <= t->elements - first, IVL_EINVAL,
              "%s: tensor '%.100s': elements %lld to %lld of %lld", t->file, t->name, (long long)first,
              (long long)(first + n), (long long)t->elements);
    enum { PIECE = 512 };
    _Alignas(16) char aligned[8 * PIECE]; /* the mapping may be aligned to nothing */
    size_t size = types[t->type].bytes, out = ivl_dtype_bytes(to, 1);
    const char *src = (const char *)t->data + (size_t)first * size;
    bool whole = t->type == IVL_ST_I64 || t->type == IVL_ST_BOOL;
    if (types[t->type].dtype == to && !whole) {
        if (n) memcpy(dst, src, (size_t)n * size);
        return IVL_OK;
    }
    for (int64_t at = 0, k; at < n; at += k) {
        k = n - at < PIECE ? n - at : PIECE;
        memcpy(aligned, src + (size_t)at * size, (size_t)k * size);
        void *piece = (char *)dst + (size_t)at * out;
        if (whole) IVL_TRY(put_whole(t, aligned, k, to, piece));
        else ivl_convert(piece, to, aligned, types[t->type].dtype, k);
    }
    return IVL_OK;
}
