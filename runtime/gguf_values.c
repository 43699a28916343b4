/* Metadata and elements of an open GGUF file. */
#include "runtime/gguf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"
#include "runtime/gguf_store.h"

/* --- types of tensors ----------------------------------------------------------------------------- */

/* Numbers as in files; the names of those that are not read are for messages. */
static const struct { const char *name; int dtype;
} types[] = {
    [0] = { "F32", IVL_F32 },    [1] = { "F16", IVL_F16 }, [2] = { "Q4_0", IVL_Q4_0 }, [3] = { "Q4_1", IVL_Q4_1 },
    [6] = { "Q5_0", -1 },        [7] = { "Q5_1", -1 },     [8] = { "Q8_0", IVL_Q8_0 }, [9] = { "Q8_1", -1 },
    [10] = { "Q2_K", -1 },       [11] = { "Q3_K", -1 },    [12] = { "Q4_K", -1 },      [13] = { "Q5_K", -1 },
    [14] = { "Q6_K", -1 },       [15] = { "Q8_K", -1 },    [16] = { "IQ2_XXS", -1 },   [17] = { "IQ2_XS", -1 },
    [18] = { "IQ3_XXS", -1 },    [19] = { "IQ1_S", -1 },   [20] = { "IQ4_NL", -1 },    [21] = { "IQ3_S", -1 },
    [22] = { "IQ2_S", -1 },      [23] = { "IQ4_XS", -1 },  [24] = { "I8", -1 },        [25] = { "I16", -1 },
    [26] = { "I32", IVL_I32 },   [27] = { "I64", -1 },     [28] = { "F64", IVL_F64 },  [29] = { "IQ1_M", -1 },
    [30] = { "BF16", IVL_BF16 },
};
enum { N_TYPES = sizeof types / sizeof *types };

ivl_status ivl_gguf_type_parse(uint32_t type, const char *file, const char *tensor, ivl_dtype *type_p)
{
    bool known = type < N_TYPES && types[type].name;
    if (known && types[type].dtype >= 0) {
        *type_p = (ivl_dtype)types[type].dtype;
        return IVL_OK;
    }
    char number[32];
    snprintf(number, sizeof number, "type %u", (unsigned)type);
    return ivl_fail(known || type < 64 ? IVL_EUNSUPPORTED : IVL_EFORMAT, __FILE__, __LINE__,
                    "%s: tensor '%.100s' is stored as %s; read are F32, F16, BF16, Q8_0, Q4_0 and Q4_1: take the model "
                    "in one of these",
                    file, tensor, known ? types[type].name : number);
}

ivl_status ivl_gguf_type_of(ivl_dtype t, uint32_t *type_p)
{
    for (uint32_t i = 0; i < N_TYPES; i++)
        if (types[i].name && types[i].dtype == (int)t) {
            *type_p = i;
            return IVL_OK;
        }
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__, "GGUF files hold no %s", ivl_dtype_name(t));
}

/* --- elements ------------------------------------------------------------------------------------- */

ivl_status ivl_gguf_read(const ivl_gguf_tensor *t, int64_t first, int64_t n, ivl_dtype to, void *dst)
{
    IVL_CHECK(first >= 0 && n >= 0 && first <= t->elements && n <= t->elements - first, IVL_EINVAL,
              "%s: tensor '%.100s': elements %lld to %lld of %lld", t->file, t->name, (long long)first,
              (long long)(first + n), (long long)t->elements);
    enum { PIECE = 512 };
    int block = ivl_dtype_block(t->type);
    if (block > 1 && to == t->type && first % block == 0 && n % block == 0) {
        memcpy(dst, (const char *)t->data + ivl_dtype_bytes(to, first), ivl_dtype_bytes(to, n));
        return IVL_OK;
    }
    IVL_CHECK(ivl_dtype_block(to) == 1, IVL_EINVAL,
              "%s: tensor '%.100s': read as plain numbers or in its own whole blocks, not as %s", t->file, t->name,
              ivl_dtype_name(to));
    _Alignas(16) char in[8 * PIECE]; /* of a mapping that may be aligned to nothing */
    float x[PIECE];
    for (int64_t at = first, end = first + n, k; at < end; at += k) {
        int64_t skip = at % block, room = PIECE - skip;
        k = end - at < room ? end - at : room;
        int64_t whole = (skip + k + block - 1) / block * block;
        void *out = (char *)dst + ivl_dtype_bytes(to, at - first);
        memcpy(in, (const char *)t->data + ivl_dtype_bytes(t->type, at - skip), ivl_dtype_bytes(t->type, whole));
        if (block == 1) ivl_convert(out, to, in, t->type, k);
        else {
            ivl_dequantise(x, in, t->type, whole);
            ivl_convert(out, to, x + skip, IVL_F32, k);
        }
    }
    return IVL_OK;
}

/* --- values --------------------------------------------------------------------------------------- */

int ivl_gguf_meta_count(const ivl_gguf *f) { return f->n_meta; }
const char *ivl_gguf_meta_key(const ivl_gguf *f, int i) { return f->meta[i].key; }
bool ivl_gguf_has(const ivl_gguf *f, const char *key) { return ivl_gguf_entry_find(f, key) != NULL; }

static ivl_status wrong(const ivl_gguf *f, const char *key, ivl_gguf_kind kind, const char *want)
{
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: metadata '%.100s' is %s, not %s", f->name, key,
                    ivl_gguf_kind_name(kind), want);
}

static bool is_int(ivl_gguf_kind k)
{
    return ivl_gguf_kind_bytes(k) && k != IVL_GGUF_F32 && k != IVL_GGUF_F64 && k != IVL_GGUF_BOOL;
}

static ivl_status int_at(const ivl_gguf *f, const char *key, ivl_gguf_kind kind, const unsigned char *p, int64_t *v_p)
{
    uint64_t v = ivl_gguf_whole(p, ivl_gguf_kind_bytes(kind));
    switch (kind) {
    case IVL_GGUF_I8: *v_p = (int8_t)v; break;
    case IVL_GGUF_I16: *v_p = (int16_t)v; break;
    case IVL_GGUF_I32: *v_p = (int32_t)v; break;
    case IVL_GGUF_I64: *v_p = (int64_t)v; break;
    default:
        IVL_CHECK(v <= INT64_MAX, IVL_EFORMAT, "%s: metadata '%.100s' = %llu is out of range", f->name, key,
                  (unsigned long long)v);
        *v_p = (int64_t)v;
    }
    return IVL_OK;
}

static ivl_status real_at(const ivl_gguf *f, const char *key, ivl_gguf_kind kind, const unsigned char *p, double *v_p)
{
    int64_t i = 0;
    uint64_t bits = ivl_gguf_whole(p, ivl_gguf_kind_bytes(kind));
    uint32_t low = (uint32_t)bits;
    float single;
    if (kind == IVL_GGUF_F64) memcpy(v_p, &bits, 8);
    else if (kind == IVL_GGUF_F32) memcpy(&single, &low, 4), *v_p = (double)single;
    else {
        IVL_TRY(int_at(f, key, kind, p, &i));
        *v_p = (double)i;
    }
    return IVL_OK;
}

ivl_status ivl_gguf_int(const ivl_gguf *f, const char *key, int64_t *v_p)
{
    const ivl_gguf_entry *e = ivl_gguf_entry_find(f, key);
    if (!e) return IVL_OK;
    if (!is_int(e->kind)) return wrong(f, key, e->kind, "a whole number");
    return int_at(f, key, e->kind, e->at, v_p);
}

ivl_status ivl_gguf_real(const ivl_gguf *f, const char *key, double *v_p)
{
    const ivl_gguf_entry *e = ivl_gguf_entry_find(f, key);
    if (!e) return IVL_OK;
    if (!is_int(e->kind) && e->kind != IVL_GGUF_F32 && e->kind != IVL_GGUF_F64)
        return wrong(f, key, e->kind, "a number");
    return real_at(f, key, e->kind, e->at, v_p);
}

ivl_status ivl_gguf_bool(const ivl_gguf *f, const char *key, bool *v_p)
{
    const ivl_gguf_entry *e = ivl_gguf_entry_find(f, key);
    if (!e) return IVL_OK;
    if (e->kind != IVL_GGUF_BOOL) return wrong(f, key, e->kind, "true or false");
    *v_p = *e->at != 0;
    return IVL_OK;
}

ivl_status ivl_gguf_string(const ivl_gguf *f, const char *key, const char **v_p)
{
    const ivl_gguf_entry *e = ivl_gguf_entry_find(f, key);
    if (!e) return IVL_OK;
    if (e->kind != IVL_GGUF_STRING) return wrong(f, key, e->kind, "a string");
    *v_p = e->string;
    return IVL_OK;
}

/* Memory for the elements of an array; NULL stays where the key is absent. */
static ivl_status begin_array(const ivl_gguf *f, const char *key, size_t size, const ivl_gguf_entry **e_p,
                              void **list_p)
{
    const ivl_gguf_entry *e = ivl_gguf_entry_find(f, key);
    *e_p = NULL, *list_p = NULL;
    if (!e) return IVL_OK;
    if (e->kind != IVL_GGUF_ARRAY) return wrong(f, key, e->kind, "an array");
    IVL_CHECK(e->n <= INT_MAX && (*list_p = malloc(((size_t)e->n + 1) * size)), IVL_ENOMEM,
              "%s: no memory for '%.100s'", f->name, key);
    *e_p = e;
    return IVL_OK;
}

ivl_status ivl_gguf_strings(const ivl_gguf *f, const char *key, ivl_gguf_text **list_p, int64_t *n_p)
{
    const ivl_gguf_entry *e = NULL;
    void *list = NULL;
    IVL_TRY(begin_array(f, key, sizeof **list_p, &e, &list));
    if (e && e->of != IVL_GGUF_STRING) {
        free(list);
        return wrong(f, key, e->kind, "an array of strings");
    }
    ivl_gguf_text *t = list;
    const unsigned char *p = e ? e->at + 12 : NULL; /* lengths were checked when the file was opened */
    for (uint64_t i = 0; e && i < e->n; i++) {
        t[i] = (ivl_gguf_text){ (const char *)p + 8, (size_t)ivl_gguf_whole(p, 8) };
        p += 8 + t[i].n;
    }
    *list_p = t, *n_p = e ? (int64_t)e->n : 0;
    return IVL_OK;
}

ivl_status ivl_gguf_ints(const ivl_gguf *f, const char *key, int64_t **list_p, int64_t *n_p)
{
    const ivl_gguf_entry *e = NULL;
    void *list = NULL;
    IVL_TRY(begin_array(f, key, sizeof **list_p, &e, &list));
    int64_t *v = list;
    ivl_status s = e && !is_int(e->of) ? wrong(f, key, e->kind, "an array of whole numbers") : IVL_OK;
    for (uint64_t i = 0; e && i < e->n && s == IVL_OK; i++)
        s = int_at(f, key, e->of, e->at + 12 + i * ivl_gguf_kind_bytes(e->of), &v[i]);
    if (s != IVL_OK) {
        free(list);
        return s;
    }
    *list_p = v, *n_p = e ? (int64_t)e->n : 0;
    return IVL_OK;
}

ivl_status ivl_gguf_reals(const ivl_gguf *f, const char *key, double **list_p, int64_t *n_p)
{
    const ivl_gguf_entry *e = NULL;
    void *list = NULL;
    IVL_TRY(begin_array(f, key, sizeof **list_p, &e, &list));
    double *v = list;
    bool number = e && (is_int(e->of) || e->of == IVL_GGUF_F32 || e->of == IVL_GGUF_F64);
    ivl_status s = e && !number ? wrong(f, key, e->kind, "an array of numbers") : IVL_OK;
    for (uint64_t i = 0; e && i < e->n && s == IVL_OK; i++)
        s = real_at(f, key, e->of, e->at + 12 + i * ivl_gguf_kind_bytes(e->of), &v[i]);
    if (s != IVL_OK) {
        free(list);
        return s;
    }
    *list_p = v, *n_p = e ? (int64_t)e->n : 0;
    return IVL_OK;
}
