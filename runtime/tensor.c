/* Tensor metadata: shape arithmetic only, no maths on elements. */
#include <ivl/ops.h>

#include <assert.h>

ivl_tensor ivl_tensor_make(ivl_dtype dtype, int rank, const int64_t *dim)
{
    assert(rank >= 0 && rank <= IVL_MAX_RANK);
    ivl_tensor t = { .dtype = dtype, .rank = rank };
    for (int i = 0; i < rank; i++) t.dim[i] = dim[i];
    t.pitch = ivl_cols(&t);
    return t;
}

int64_t ivl_numel(const ivl_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

int64_t ivl_cols(const ivl_tensor *t) { return t->rank ? t->dim[t->rank - 1] : 1; }

int64_t ivl_rows(const ivl_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < t->rank; i++) n *= t->dim[i];
    return n;
}

bool ivl_contiguous(const ivl_tensor *t) { return t->pitch == ivl_cols(t); }

bool ivl_same_shape(const ivl_tensor *a, const ivl_tensor *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

const char *ivl_tensor_text(const ivl_tensor *t, char *text, size_t n)
{
    int at = snprintf(text, n, "%s[", ivl_dtype_name(t->dtype));
    for (int i = 0; i < t->rank && at < (int)n; i++)
        at += snprintf(text + at, n - (size_t)at, i ? ",%lld" : "%lld", (long long)t->dim[i]);
    if (at < (int)n) snprintf(text + at, n - (size_t)at, "]");
    return text;
}
