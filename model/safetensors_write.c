/* Writing safetensors: larger element types first, so that with the padded header every tensor is aligned to
 * its own. */
#include "model/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/json.h"
#include "runtime/file.h"

enum { ALIGN = 64, STAGE = 1 << 20, MAX_SHARDS = 99999 };

static int64_t elements(const ivl_st_item *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

static size_t bytes(const ivl_st_item *t) { return (size_t)elements(t) * ivl_st_type_bytes(t->type); }

/* One file to be: its tensors in order of their place. */
typedef struct shard {
    const ivl_st_item **item;
    int          n;
    size_t       bytes;
    char         name[64];
    ivl_out_file out;
} shard;

/* --- one file ------------------------------------------------------------------------------------- */

static int by_type(const void *a, const void *b)
{
    const ivl_st_item *x = *(const ivl_st_item *const *)a, *y = *(const ivl_st_item *const *)b;
    size_t s = ivl_st_type_bytes(x->type), t = ivl_st_type_bytes(y->type);
    if (s != t) return s > t ? -1 : 1;
    return x < y ? -1 : x > y; /* as given: items lie in one array */
}

static json_t *entry(const ivl_st_item *t, size_t begin)
{
    json_t *shape = json_array();
    int bad = 0;
    for (int i = 0; i < t->rank; i++) bad |= json_array_append_new(shape, json_integer(t->dim[i]));
    if (bad) json_decref(shape), shape = NULL;
    return json_pack("{s:s,s:o,s:[I,I]}", "dtype", ivl_st_type_name(t->type), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + bytes(t)));
}

/* {"__metadata__": ..., "NAME": ...} */
static ivl_status make_header(const shard *s, const ivl_st_pair *meta, int n_meta, char **text_p)
{
    json_t *root = json_object(), *m = n_meta ? json_object() : NULL;
    size_t at = 0;
    ivl_status st = IVL_OK;
    for (int i = 0; i < n_meta && st == IVL_OK; i++)
        if (json_object_set_new(m, meta[i].key, json_string(meta[i].value)))
            st = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "metadata '%.100s' is no valid UTF-8", meta[i].key);
    if (n_meta && json_object_set_new(root, "__metadata__", m) && st == IVL_OK)
        st = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < s->n && st == IVL_OK; i++) {
        const ivl_st_item *t = s->item[i];
        if (json_object_get(root, t->name))
            st = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "two tensors are called '%.100s'", t->name);
        else if (json_object_set_new(root, t->name, entry(t, at)))
            st = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "'%.100s' is no name for a tensor", t->name);
        at += bytes(t);
    }
    char *text = st == IVL_OK ? ivl_json_dump(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (st != IVL_OK) return st;
    IVL_CHECK(text, IVL_ENOMEM, "out of memory");
    *text_p = text;
    return IVL_OK;
}

static ivl_status put(const ivl_out_file *out, const void *data, size_t n)
{
    errno = 0;
    IVL_CHECK(!n || fwrite(data, 1, n, out->f) == n, IVL_EIO, "%s: cannot write: %s", out->path,
              strerror(errno ? errno : EIO));
    return IVL_OK;
}

static ivl_status put_header(const ivl_out_file *out, const char *text)
{
    size_t n = strlen(text), padded = (8 + n + ALIGN - 1) / ALIGN * ALIGN - 8;
    unsigned char length[8];
    char blanks[ALIGN];
    memset(blanks, ' ', sizeof blanks);
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    IVL_TRY(put(out, length, 8));
    IVL_TRY(put(out, text, n));
    return put(out, blanks, padded - n);
}

static ivl_status put_tensor(const ivl_out_file *out, const ivl_st_item *t)
{
    if (t->data) return put(out, t->data, bytes(t));
    int64_t size = (int64_t)ivl_st_type_bytes(t->type), n = elements(t), piece = STAGE / size;
    char *stage = malloc(STAGE);
    IVL_CHECK(stage, IVL_ENOMEM, "out of memory");
    ivl_status s = IVL_OK;
    for (int64_t at = 0, k; at < n && s == IVL_OK; at += k) {
        k = n - at < piece ? n - at : piece;
        s = t->fill(t, at, k, stage);
        if (s == IVL_OK) s = put(out, stage, (size_t)(k * size));
    }
    free(stage);
    return s;
}

/* Everything on the disk, under its temporary name. */
static ivl_status settle(const ivl_out_file *out)
{
    errno = 0;
    IVL_CHECK(!fflush(out->f) && !fsync(fileno(out->f)), IVL_EIO, "%s: cannot write: %s", out->path,
              strerror(errno ? errno : EIO));
    return IVL_OK;
}

static ivl_status write_shard(shard *s, const char *path, const ivl_st_pair *meta, int n_meta)
{
    char *header = NULL;
    qsort(s->item, (size_t)s->n, sizeof *s->item, by_type);
    IVL_TRY(make_header(s, meta, n_meta, &header));
    ivl_status st = ivl_out_open(path, &s->out);
    if (st == IVL_OK) st = put_header(&s->out, header);
    for (int i = 0; i < s->n && st == IVL_OK; i++) st = put_tensor(&s->out, s->item[i]);
    if (st == IVL_OK) st = settle(&s->out);
    free(header);
    return st;
}

static const ivl_st_item **pointers(const ivl_st_item *item, int n)
{
    const ivl_st_item **p = malloc(((size_t)n + 1) * sizeof *p);
    for (int i = 0; p && i < n; i++) p[i] = &item[i];
    if (!p) ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    return p;
}

ivl_status ivl_st_save(const char *path, const ivl_st_item *item, int n, const ivl_st_pair *meta, int n_meta)
{
    shard s = { .item = pointers(item, n), .n = n };
    ivl_status st = s.item ? write_shard(&s, path, meta, n_meta) : IVL_ENOMEM;
    if (st == IVL_OK) st = ivl_out_commit(&s.out);
    ivl_out_abandon(&s.out);
    free(s.item);
    return st;
}

/* --- folders -------------------------------------------------------------------------------------- */

/* Consecutive items, as many to a file as shard_bytes holds; NULL when out of memory. */
static shard *split(const ivl_st_item **item, int n, size_t shard_bytes, int *n_p)
{
    shard *s = calloc((size_t)n + 1, sizeof *s);
    int k = 0;
    if (!s) return NULL;
    s[0].item = item;
    for (int i = 0; i < n; i++) {
        size_t b = bytes(item[i]);
        if (s[k].n && shard_bytes && s[k].bytes + b > shard_bytes) s[++k].item = &item[i];
        s[k].n++, s[k].bytes += b;
    }
    *n_p = k + 1;
    for (int i = 0; i <= k; i++) {
        if (k) snprintf(s[i].name, sizeof s[i].name, "model-%05d-of-%05d.safetensors", i + 1, k + 1);
        else snprintf(s[i].name, sizeof s[i].name, "model.safetensors");
    }
    return s;
}

static json_t *index_of(const shard *s, int n)
{
    json_t *map = json_object();
    json_int_t total = 0;
    int bad = 0;
    for (int i = 0; i < n; i++) {
        total += (json_int_t)s[i].bytes;
        for (int j = 0; j < s[i].n; j++)
            bad |= json_object_set_new(map, s[i].item[j]->name, json_string(s[i].name));
    }
    if (bad) json_decref(map), map = NULL;
    return json_pack("{s:{s:I},s:o}", "metadata", "total_size", total, "weight_map", map);
}

static ivl_status write_index(const char *path, const shard *s, int n, ivl_out_file *out)
{
    json_t *root = index_of(s, n);
    char *text = root ? ivl_json_dump(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    IVL_CHECK(text, IVL_ENOMEM, "out of memory");
    ivl_status st = ivl_out_open(path, out);
    if (st == IVL_OK) st = put(out, text, strlen(text));
    if (st == IVL_OK) st = put(out, "\n", 1);
    if (st == IVL_OK) st = settle(out);
    free(text);
    return st;
}

static bool is_shard(const char *name, int *of_p)
{
    int i = 0, end = 0;
    return sscanf(name, "model-%5d-of-%5d.safetensors%n", &i, of_p, &end) == 2 && end && !name[end];
}

/* What a reader would prefer or waste space on: first the index of shards that are gone, then files. */
static void remove_older(const char *dir, int n, const char *index)
{
    if (n == 1) unlink(index);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        int of = 0;
        bool stale =
            is_shard(e->d_name, &of) ? n == 1 || of != n : n > 1 && !strcmp(e->d_name, "model.safetensors");
        char *path = stale ? ivl_path_join(dir, e->d_name) : NULL;
        if (path) unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

static ivl_status write_all(const char *dir, shard *s, int n, const ivl_st_pair *meta, int n_meta)
{
    ivl_status st = IVL_OK;
    for (int i = 0; i < n && st == IVL_OK; i++) {
        char *path = ivl_path_join(dir, s[i].name);
        st = path ? write_shard(&s[i], path, meta, n_meta)
                  : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        free(path);
    }
    return st;
}

ivl_status ivl_st_save_dir(const char *dir, const ivl_st_item *item, int n, size_t shard_bytes,
                           const ivl_st_pair *meta, int n_meta)
{
    int count = 0;
    ivl_out_file index = { 0 };
    const ivl_st_item **p = pointers(item, n);
    shard *s = p ? split(p, n, shard_bytes, &count) : NULL;
    char *path = ivl_path_join(dir, "model.safetensors.index.json");
    ivl_status st = IVL_OK;
    if (!s || !path) st = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (count > MAX_SHARDS)
        st = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "%s: %d shards are too many", dir, count);
    if (st == IVL_OK) st = ivl_make_dirs(dir);
    if (st == IVL_OK) st = write_all(dir, s, count, meta, n_meta);
    if (st == IVL_OK && count > 1) st = write_index(path, s, count, &index);
    for (int i = 0; i < count && st == IVL_OK; i++) st = ivl_out_commit(&s[i].out);
    if (st == IVL_OK && count > 1) st = ivl_out_commit(&index);
    if (st == IVL_OK) remove_older(dir, count, path);
    for (int i = 0; s && i < count; i++) ivl_out_abandon(&s[i].out);
    ivl_out_abandon(&index);
    free(s), free(p), free(path);
    return st;
}
