/* Moves parameters between host and device, in pieces, converting on the way. */
#include "model/params.h"

#include <stdlib.h>

#include "runtime/dtype.h"

enum { PIECE = 1 << 18 }; /* elements staged at a time */

static size_t at(ivl_dtype t, int64_t n) { return ivl_dtype_bytes(t, n); }

static ivl_status check_range(const ivl_param *q, const ivl_tensor *t, int64_t first, int64_t *n)
{
    IVL_CHECK(t && t->buf.dev, IVL_EINVAL, "%s: no such memory: it is not allocated, or not for training",
              q->name);
    if (*n < 0) *n = q->elements - first;
    IVL_CHECK(first >= 0 && first <= q->elements && *n <= q->elements - first, IVL_EINVAL,
              "%s: elements %lld to %lld of %lld", q->name, (long long)first, (long long)(first + *n),
              (long long)q->elements);
    return IVL_OK;
}

static ivl_status write_tensor(const ivl_tensor *t, ivl_stream *s, int64_t first, int64_t n, const char *src,
                               ivl_dtype from)
{
    if (from == t->dtype) return ivl_write(s, t->buf, at(from, t->off + first), at(from, n), src);
    void *stage = malloc(at(t->dtype, n < PIECE ? n : PIECE) + 1);
    IVL_CHECK(stage, IVL_ENOMEM, "out of memory");
    ivl_status st = IVL_OK;
    for (int64_t i = 0, k; i < n && st == IVL_OK; i += k) {
        k = n - i < PIECE ? n - i : PIECE;
        ivl_convert(stage, t->dtype, src + at(from, i), from, k);
        st = ivl_write(s, t->buf, at(t->dtype, t->off + first + i), at(t->dtype, k), stage);
        if (st == IVL_OK) st = ivl_sync(s); /* stage is reused */
    }
    free(stage);
    return st;
}

static ivl_status read_tensor(const ivl_tensor *t, ivl_stream *s, int64_t first, int64_t n, char *dst,
                              ivl_dtype to)
{
    if (to == t->dtype) return ivl_read(s, t->buf, at(to, t->off + first), at(to, n), dst);
    void *stage = malloc(at(t->dtype, n < PIECE ? n : PIECE) + 1);
    IVL_CHECK(stage, IVL_ENOMEM, "out of memory");
    ivl_status st = IVL_OK;
    for (int64_t i = 0, k; i < n && st == IVL_OK; i += k) {
        k = n - i < PIECE ? n - i : PIECE;
        st = ivl_read(s, t->buf, at(t->dtype, t->off + first + i), at(t->dtype, k), stage);
        if (st == IVL_OK) ivl_convert(dst + at(to, i), to, stage, t->dtype, k);
    }
    free(stage);
    return st;
}

static bool has_master(const ivl_param *q) { return q->master.buf.dev && q->master.dtype != q->value.dtype; }

static const ivl_tensor *slot_of(const ivl_param *q, ivl_slot slot)
{
    switch (slot) {
    case IVL_WEIGHT: return has_master(q) ? &q->master : &q->value;
    case IVL_VALUE: return &q->value;
    case IVL_GRAD: return &q->grad;
    case IVL_M: return &q->m;
    case IVL_V: return &q->v;
    }
    return NULL;
}

ivl_status ivl_param_write(const ivl_param *q, ivl_stream *s, ivl_slot slot, int64_t first, int64_t n,
                           const void *src, ivl_dtype from)
{
    const ivl_tensor *t = slot_of(q, slot);
    IVL_TRY(check_range(q, t, first, &n));
    if (!n) return IVL_OK;
    IVL_TRY(write_tensor(t, s, first, n, src, from));
    if (slot == IVL_WEIGHT && has_master(q)) IVL_TRY(write_tensor(&q->value, s, first, n, src, from));
    return ivl_sync(s);
}

ivl_status ivl_param_read(const ivl_param *q, ivl_stream *s, ivl_slot slot, int64_t first, int64_t n,
                          void *dst, ivl_dtype to)
{
    const ivl_tensor *t = slot_of(q, slot);
    IVL_TRY(check_range(q, t, first, &n));
    return n ? read_tensor(t, s, first, n, dst, to) : IVL_OK;
}

ivl_status ivl_params_init(const ivl_params *p, ivl_stream *s, uint64_t seed)
{
    float *stage = malloc(PIECE * sizeof *stage);
    IVL_CHECK(stage, IVL_ENOMEM, "out of memory");
    ivl_status st = IVL_OK;
    for (int i = 0; i < p->n && st == IVL_OK; i++) {
        const ivl_param *q = &p->param[i];
        for (int64_t k, first = 0; first < q->elements && st == IVL_OK; first += k) {
            k = q->elements - first < PIECE ? q->elements - first : PIECE;
            ivl_param_init(q, seed, first, k, stage);
            st = ivl_param_write(q, s, IVL_WEIGHT, first, k, stage, IVL_F32);
        }
    }
    free(stage);
    return st;
}
