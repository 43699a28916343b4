/* Writing GGUF version 3: header and metadata from memory, tensors piece by piece. */
#include "runtime/gguf.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"
#include "runtime/gguf_store.h"

enum { STAGE = 1 << 16 }; /* elements at a time: a multiple of every block */

/* Bytes that grow. */
struct ivl_gguf_meta {
    unsigned char *p;
    size_t         n, room;
    uint64_t       count;
    bool           failed;
};

ivl_gguf_meta *ivl_gguf_meta_create(void)
{
    ivl_gguf_meta *m = calloc(1, sizeof *m);
    if (!m) ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    return m;
}

void ivl_gguf_meta_destroy(ivl_gguf_meta *m)
{
    if (m) free(m->p);
    free(m);
}

static void put(ivl_gguf_meta *m, const void *p, size_t n)
{
    if (m->n + n > m->room && !m->failed) {
        size_t room = 2 * m->room + n + 1024;
        unsigned char *more = realloc(m->p, room);
        if (more) m->p = more, m->room = room;
        else m->failed = true;
    }
    if (m->failed) return;
    if (n) memcpy(m->p + m->n, p, n);
    m->n += n;
}

static void put_whole(ivl_gguf_meta *m, uint64_t v, size_t bytes)
{
    unsigned char b[8];
    for (size_t i = 0; i < bytes; i++) b[i] = (unsigned char)(v >> 8 * i);
    put(m, b, bytes);
}

static void put_text(ivl_gguf_meta *m, const char *p, size_t n) { put_whole(m, n, 8), put(m, p, n); }

static void put_real(ivl_gguf_meta *m, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    put_whole(m, bits, 4);
}

static void begin(ivl_gguf_meta *m, const char *key, ivl_gguf_kind kind)
{
    put_text(m, key, strlen(key));
    put_whole(m, (uint64_t)kind, 4);
    m->count++;
}

static void begin_array(ivl_gguf_meta *m, const char *key, ivl_gguf_kind of, int64_t n)
{
    begin(m, key, IVL_GGUF_ARRAY);
    put_whole(m, (uint64_t)of, 4);
    put_whole(m, (uint64_t)n, 8);
}

void ivl_gguf_put_u32(ivl_gguf_meta *m, const char *key, uint32_t v)
{
    begin(m, key, IVL_GGUF_U32), put_whole(m, v, 4);
}

void ivl_gguf_put_f32(ivl_gguf_meta *m, const char *key, float v) { begin(m, key, IVL_GGUF_F32), put_real(m, v); }
void ivl_gguf_put_bool(ivl_gguf_meta *m, const char *key, bool v) { begin(m, key, IVL_GGUF_BOOL), put_whole(m, v, 1); }

void ivl_gguf_put_string(ivl_gguf_meta *m, const char *key, const char *v)
{
    begin(m, key, IVL_GGUF_STRING), put_text(m, v, strlen(v));
}

void ivl_gguf_put_strings(ivl_gguf_meta *m, const char *key, const ivl_gguf_text *list, int64_t n)
{
    begin_array(m, key, IVL_GGUF_STRING, n);
    for (int64_t i = 0; i < n; i++) put_text(m, list[i].p, list[i].n);
}

void ivl_gguf_put_i32s(ivl_gguf_meta *m, const char *key, const int32_t *list, int64_t n)
{
    begin_array(m, key, IVL_GGUF_I32, n);
    for (int64_t i = 0; i < n; i++) put_whole(m, (uint32_t)list[i], 4);
}

void ivl_gguf_put_f32s(ivl_gguf_meta *m, const char *key, const float *list, int64_t n)
{
    begin_array(m, key, IVL_GGUF_F32, n);
    for (int64_t i = 0; i < n; i++) put_real(m, list[i]);
}

void ivl_gguf_put_copy(ivl_gguf_meta *m, const ivl_gguf *f, const char *key)
{
    const ivl_gguf_entry *e = ivl_gguf_entry_find(f, key);
    if (!e) return;
    begin(m, key, e->kind);
    put(m, e->at, (size_t)(e->end - e->at));
}

/* --- the file ------------------------------------------------------------------------------------- */

static int64_t elements(const ivl_gguf_item *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

static size_t padded(size_t n) { return (n + IVL_GGUF_ALIGN - 1) / IVL_GGUF_ALIGN * IVL_GGUF_ALIGN; }

static ivl_status check_item(const ivl_gguf_item *t)
{
    IVL_CHECK(t->rank >= 1 && t->rank <= IVL_GGUF_RANK, IVL_EINVAL, "tensor '%.100s' has %d dimensions, not 1 to %d",
              t->name, t->rank, IVL_GGUF_RANK);
    int block = ivl_dtype_block(t->type);
    int64_t row = t->dim[t->rank - 1];
    IVL_CHECK(row % block == 0, IVL_EINVAL,
              "tensor '%.100s': rows of %lld values cannot be stored as %s, in blocks of %d", t->name, (long long)row,
              ivl_dtype_name(t->type), block);
    return IVL_OK;
}

/* Header, metadata, table. */
static ivl_status make_head(const ivl_gguf_meta *m, const ivl_gguf_item *item, int n, ivl_gguf_meta *head)
{
    size_t at = 0;
    put(head, "GGUF", 4);
    put_whole(head, 3, 4);
    put_whole(head, (uint64_t)n, 8);
    put_whole(head, m->count, 8);
    put(head, m->p, m->n);
    for (int i = 0; i < n; i++) {
        const ivl_gguf_item *t = &item[i];
        uint32_t type = 0;
        IVL_TRY(check_item(t));
        IVL_TRY(ivl_gguf_type_of(t->type, &type));
        put_text(head, t->name, strlen(t->name));
        put_whole(head, (uint64_t)t->rank, 4);
        for (int d = t->rank - 1; d >= 0; d--) put_whole(head, (uint64_t)t->dim[d], 8);
        put_whole(head, type, 4);
        put_whole(head, at, 8);
        at += padded(ivl_dtype_bytes(t->type, elements(t)));
    }
    IVL_CHECK(!m->failed && !head->failed, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

static ivl_status write_bytes(const ivl_out_file *out, const void *p, size_t n)
{
    static const char zeros[IVL_GGUF_ALIGN];
    size_t pad = padded(n) - n;
    errno = 0;
    IVL_CHECK((!n || fwrite(p, 1, n, out->f) == n) && (!pad || fwrite(zeros, 1, pad, out->f) == pad), IVL_EIO,
              "%s: cannot write: %s", out->path, strerror(errno ? errno : EIO));
    return IVL_OK;
}

/* Quantised scales are f16, so their values may not be larger either. */
static ivl_status check_values(const ivl_gguf_item *t, const float *x, int64_t n)
{
    float most = t->type == IVL_F32 || t->type == IVL_BF16 || t->type == IVL_F64 ? INFINITY : 65504;
    if (t->type == IVL_F32) return IVL_OK;
    for (int64_t i = 0; i < n; i++)
        IVL_CHECK(isfinite(x[i]) && fabsf(x[i]) <= most, IVL_EFORMAT,
                  "tensor '%.100s' holds %g, which %s cannot: take f32%s", t->name, (double)x[i],
                  ivl_dtype_name(t->type), isfinite(x[i]) ? " or bf16" : "");
    return IVL_OK;
}

/* What fill gives as `from`, through f32, to the file's type. */
static ivl_status convert(const ivl_gguf_item *t, const void *from, float *x, int64_t n, void *to)
{
    ivl_convert(x, IVL_F32, from, t->from, n);
    IVL_TRY(check_values(t, x, n));
    ivl_convert(to, t->type, x, IVL_F32, n);
    return IVL_OK;
}

static ivl_status write_tensor(const ivl_out_file *out, const ivl_gguf_item *t)
{
    int64_t n = elements(t);
    char *in = malloc(STAGE * sizeof(double)), *to = malloc(STAGE * sizeof(double));
    float *x = malloc(STAGE * sizeof *x);
    bool same = t->from == t->type;
    ivl_status s = in && to && x ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int64_t at = 0, k; at < n && s == IVL_OK; at += k) { /* whole pieces need no padding */
        k = n - at < STAGE ? n - at : STAGE;
        s = t->fill(t, at, k, in);
        if (s == IVL_OK && !same) s = convert(t, in, x, k, to);
        if (s == IVL_OK) s = write_bytes(out, same ? in : to, ivl_dtype_bytes(t->type, k));
    }
    free(in), free(to), free(x);
    return s;
}

ivl_status ivl_gguf_save(const char *path, const ivl_gguf_meta *m, const ivl_gguf_item *item, int n)
{
    ivl_gguf_meta head = { 0 };
    ivl_out_file out = { 0 };
    ivl_status s = make_head(m, item, n, &head);
    if (s == IVL_OK) s = ivl_out_open(path, &out);
    if (s == IVL_OK) s = write_bytes(&out, head.p, head.n);
    for (int i = 0; i < n && s == IVL_OK; i++) s = write_tensor(&out, &item[i]);
    if (s == IVL_OK) s = ivl_out_commit(&out);
    ivl_out_abandon(&out);
    free(head.p);
    return s;
}
