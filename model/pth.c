#include "model/pth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/pickle.h"
#include "runtime/dtype.h"
#include "runtime/file.h"
#include "runtime/zip.h"

enum { PICKLE_LIMIT = 1 << 28, NEST = 4 };

struct ivl_pth {
    char           *name;
    ivl_map         map;
    bool            own;
    ivl_zip_member *member;
    int             n_members;
    ivl_pickle      pickle;
    int             n, cap;
    ivl_pth_tensor *tensor;
};

/* --- the archive ---------------------------------------------------------------------------------- */

/* Members are ARCHIVE/data.pkl, ARCHIVE/data/KEY, ARCHIVE/byteorder; they are sorted by name. */
static int by_member(const void *a, const void *b)
{
    return strcmp(((const ivl_zip_member *)a)->name, ((const ivl_zip_member *)b)->name);
}

static const ivl_zip_member *find_member(const ivl_pth *f, const char *name)
{
    ivl_zip_member want = { .name = (char *)(uintptr_t)name };
    return f->n_members ? bsearch(&want, f->member, (size_t)f->n_members, sizeof want, by_member) : NULL;
}

static const ivl_zip_member *find_pickle(const ivl_pth *f)
{
    for (int i = 0; i < f->n_members; i++) {
        const char *slash = strchr(f->member[i].name, '/');
        if (slash && !strcmp(slash, "/data.pkl")) return &f->member[i];
    }
    return NULL;
}

/* "ARCHIVE/" of ARCHIVE/data.pkl and what stands behind it. */
static char *beside(const ivl_zip_member *pickle, const char *folder, const char *p, size_t n)
{
    size_t head = strlen(pickle->name) - strlen("data.pkl"), k = strlen(folder);
    char *name = malloc(head + k + n + 1);
    if (!name) return NULL;
    memcpy(name, pickle->name, head);
    memcpy(name + head, folder, k);
    if (n) memcpy(name + head + k, p, n);
    name[head + k + n] = 0;
    return name;
}

static ivl_status check_order(const ivl_pth *f, const ivl_zip_member *pickle)
{
    char *name = beside(pickle, "byteorder", "", 0);
    IVL_CHECK(name, IVL_ENOMEM, "out of memory");
    const ivl_zip_member *m = find_member(f, name);
    bool big = m && m->bytes >= 3 && !memcmp(m->data, "big", 3);
    free(name);
    IVL_CHECK(!big, IVL_EUNSUPPORTED, "%s: written by a big-endian machine; only little-endian files are read",
              f->name);
    return IVL_OK;
}

/* --- tensors -------------------------------------------------------------------------------------- */

static ivl_status read_sizes(const ivl_pth *f, const ivl_pickle_value *v, ivl_pth_tensor *t)
{
    int64_t last = v->i, expect = 1;
    t->rank = v->n / 2, t->elements = 1, t->in_order = true;
    for (int i = 0; i < t->rank; i++) {
        t->dim[i] = f->pickle.value[v->item[i]].i, t->stride[i] = f->pickle.value[v->item[t->rank + i]].i;
        IVL_CHECK(t->dim[i] >= 0 && t->stride[i] >= 0 && !__builtin_mul_overflow(t->elements, t->dim[i], &t->elements),
                  IVL_EFORMAT, "%s: tensor '%.100s': its sizes are negative or overflow", f->name, t->name);
    }
    for (int i = t->rank - 1; i >= 0; i--) {
        int64_t reach = 0;
        if (t->dim[i] > 1 && t->stride[i] != expect) t->in_order = false;
        bool far = t->dim[i] > 0 && (__builtin_mul_overflow(t->dim[i] - 1, t->stride[i], &reach) ||
                                     __builtin_add_overflow(last, reach, &last));
        IVL_CHECK(!far, IVL_EFORMAT, "%s: tensor '%.100s': its strides overflow", f->name, t->name);
        if (t->elements) expect *= t->dim[i];
    }
    IVL_CHECK(v->i >= 0 && v->elements >= 0 && (!t->elements || last < v->elements), IVL_EFORMAT,
              "%s: tensor '%.100s' reaches beyond its storage of %lld elements", f->name, t->name,
              (long long)v->elements);
    t->span.elements = t->span.dim[0] = t->elements ? last - v->i + 1 : 0;
    return IVL_OK;
}

static ivl_status add_tensor(ivl_pth *f, const ivl_zip_member *pickle, ivl_pickle_text key, const ivl_pickle_value *v)
{
    if (f->n == f->cap) {
        int cap = f->cap ? 2 * f->cap : 128;
        ivl_pth_tensor *more = realloc(f->tensor, (size_t)cap * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory");
        f->tensor = more, f->cap = cap;
    }
    char *name = key.n <= 4096 && !memchr(key.p, 0, key.n) ? strndup(key.p, key.n) : NULL;
    IVL_CHECK(name, IVL_EFORMAT, "%s: a tensor's name is too long or no text", f->name);
    ivl_pth_tensor *t = &f->tensor[f->n++];
    *t = (ivl_pth_tensor){ .name = name, .file = f->name, .type = v->type };
    IVL_TRY(read_sizes(f, v, t));
    char *path = beside(pickle, "data/", v->text.p, v->text.n);
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    const ivl_zip_member *m = find_member(f, path);
    free(path);
    size_t size = ivl_st_type_bytes(v->type);
    IVL_CHECK(m && (uint64_t)v->elements <= m->bytes / size, IVL_EFORMAT,
              "%s: tensor '%.100s': its storage '%.*s' is missing or too short", f->name, name,
              (int)(v->text.n < 40 ? v->text.n : 40), v->text.p);
    t->span.name = name, t->span.file = f->name, t->span.type = v->type, t->span.rank = 1;
    t->span.data = (const char *)m->data + (size_t)v->i * size, t->span.bytes = (size_t)t->span.elements * size;
    return IVL_OK;
}

static bool key_is(const ivl_pickle_value *key, const char *word)
{
    return key->kind == IVL_PICKLE_TEXT && key->text.n == strlen(word) && !memcmp(key->text.p, word, key->text.n);
}

/* The dictionary of tensors within the result. */
static const ivl_pickle_value *find_dict(const ivl_pickle *p)
{
    static const char *const inner[] = { "state_dict", "model", "module" };
    const ivl_pickle_value *d = &p->value[p->top];
    for (int depth = 0; d->kind == IVL_PICKLE_DICT && depth < NEST; depth++) {
        const ivl_pickle_value *next = NULL;
        for (int i = 0; i + 1 < d->n; i += 2)
            for (int k = 0; k < 3; k++)
                if (key_is(&p->value[d->item[i]], inner[k]) && p->value[d->item[i + 1]].kind == IVL_PICKLE_DICT)
                    next = &p->value[d->item[i + 1]];
        if (!next) return d;
        d = next;
    }
    return d->kind == IVL_PICKLE_DICT ? d : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ivl_pth_tensor *)a)->name, ((const ivl_pth_tensor *)b)->name);
}

static ivl_status list_tensors(ivl_pth *f, const ivl_zip_member *pickle)
{
    const ivl_pickle_value *d = find_dict(&f->pickle);
    IVL_CHECK(d, IVL_EFORMAT, "%s: holds no dictionary of tensors; save the model's state_dict()", f->name);
    for (int i = 0; i + 1 < d->n; i += 2) {
        const ivl_pickle_value *key = &f->pickle.value[d->item[i]], *v = &f->pickle.value[d->item[i + 1]];
        if (key->kind == IVL_PICKLE_TEXT && v->kind == IVL_PICKLE_TENSOR) IVL_TRY(add_tensor(f, pickle, key->text, v));
    }
    IVL_CHECK(f->n, IVL_EFORMAT, "%s: its dictionary holds no tensors; save the model's state_dict()", f->name);
    qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_name);
    for (int i = 1; i < f->n; i++)
        IVL_CHECK(by_name(&f->tensor[i - 1], &f->tensor[i]), IVL_EFORMAT, "%s: two tensors are called '%.100s'",
                  f->name, f->tensor[i].name);
    return IVL_OK;
}

/* --- the file ------------------------------------------------------------------------------------- */

static ivl_status parse(ivl_pth *f)
{
    IVL_CHECK(ivl_zip_is(f->map.data, f->map.bytes), IVL_EUNSUPPORTED,
              "%s: no file of torch.save in its zip form (PyTorch 1.6 and later); load it and save it again", f->name);
    IVL_TRY(ivl_zip_list(f->map.data, f->map.bytes, f->name, &f->member, &f->n_members));
    qsort(f->member, (size_t)f->n_members, sizeof *f->member, by_member);
    const ivl_zip_member *pickle = find_pickle(f);
    IVL_CHECK(pickle && pickle->bytes <= PICKLE_LIMIT, IVL_EFORMAT,
              "%s: a zip archive, but not torch.save's: no data.pkl in it", f->name);
    IVL_TRY(check_order(f, pickle));
    IVL_TRY(ivl_pickle_read(pickle->data, pickle->bytes, f->name, &f->pickle));
    return list_tensors(f, pickle);
}

static ivl_status open_bytes(ivl_map map, const char *name, bool own, ivl_pth **f_p)
{
    ivl_pth *f = calloc(1, sizeof *f);
    ivl_status s = IVL_OK;
    if (!f || !(f->name = strdup(name))) {
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        if (own) ivl_map_close(&map);
    } else {
        f->map = map, f->own = own;
        s = parse(f);
    }
    if (s == IVL_OK) *f_p = f;
    else ivl_pth_close(f);
    return s;
}

ivl_status ivl_pth_open(const char *path, ivl_pth **f_p)
{
    ivl_map map = { 0 };
    IVL_TRY(ivl_map_open(path, &map));
    return open_bytes(map, path, true, f_p);
}

ivl_status ivl_pth_open_memory(const void *data, size_t n, const char *name, ivl_pth **f_p)
{
    return open_bytes((ivl_map){ (void *)(uintptr_t)data, n }, name, false, f_p);
}

void ivl_pth_close(ivl_pth *f)
{
    if (!f) return;
    for (int i = 0; i < f->n; i++) free((char *)(uintptr_t)f->tensor[i].name);
    ivl_zip_free(f->member, f->n_members);
    ivl_pickle_free(&f->pickle);
    if (f->own) ivl_map_close(&f->map);
    free(f->tensor), free(f->name), free(f);
}

int ivl_pth_count(const ivl_pth *f) { return f->n; }
const ivl_pth_tensor *ivl_pth_at(const ivl_pth *f, int i) { return &f->tensor[i]; }

ivl_status ivl_pth_read(const ivl_pth_tensor *t, int64_t first, int64_t n, ivl_dtype to, void *dst)
{
    IVL_CHECK(first >= 0 && n >= 0 && first <= t->elements && n <= t->elements - first, IVL_EINVAL,
              "%s: tensor '%.100s': elements %lld to %lld of %lld", t->file, t->name, (long long)first,
              (long long)(first + n), (long long)t->elements);
    if (t->in_order) return ivl_st_read(&t->span, first, n, to, dst);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = first + i, at = 0;
        for (int d = t->rank - 1; d >= 0; d--) at += rest % t->dim[d] * t->stride[d], rest /= t->dim[d];
        IVL_TRY(ivl_st_read(&t->span, at, 1, to, (char *)dst + ivl_dtype_bytes(to, i)));
    }
    return IVL_OK;
}

/* --- names ---------------------------------------------------------------------------------------- */

void ivl_pth_to_hf(const char *name, bool whole, char hf[IVL_PTH_NAME])
{
    static const struct { const char *from, *to; } start[] = { { "cls_token", "embeddings.class_embedding" },
                                                               { "pos_embed", "embeddings.position_embedding" },
                                                               { "patch_embed.proj.", "embeddings.patch_embedding." },
                                                               { "blocks.", "encoder.layers." } };
    const char *vision = whole ? "vision_model." : "";
    for (size_t i = 0; i < sizeof start / sizeof *start; i++) {
        size_t n = strlen(start[i].from), k = strlen(name);
        if (strncmp(name, start[i].from, n) || (i < 2 && name[n])) continue;
        bool scale = i == 3 && k > 10 && (!strcmp(name + k - 10, ".ls1.gamma") || !strcmp(name + k - 10, ".ls2.gamma"));
        snprintf(hf, IVL_PTH_NAME, "%s%s%.*s", vision, start[i].to, (int)(k - n - (scale ? 6 : 0)), name + n);
        return;
    }
    const char *rest = strncmp(name, "transformer.", 12) ? NULL : name + 12;
    bool bare = rest && strncmp(rest, "model.", 6) && strncmp(rest, "lm_head.", 8);
    if (rest) snprintf(hf, IVL_PTH_NAME, "qllama.%s%s", bare ? "model." : "", rest);
    else snprintf(hf, IVL_PTH_NAME, "%s", name);
}
