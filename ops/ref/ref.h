/* References are plain loops over rows, compiled twice: REAL = double is the truth, REAL = float the plain
 * loop whose error sets the tolerance of kernels. REF(rms_norm) is ivl_ref64_rms_norm or ivl_ref32_rms_norm. */
#ifndef IVL_OPS_REF_H
#define IVL_OPS_REF_H

#include "ops/op.h"
#include "runtime/dtype.h"

#include <math.h>
#include <stdlib.h>

#ifdef REF_DOUBLE
typedef double REAL;
#define REF(name) ivl_ref64_##name
#define EXP_REAL exp
#define LOG_REAL log
#else
typedef float REAL;
#define REF(name) ivl_ref32_##name
#define EXP_REAL expf
#define LOG_REAL logf
#endif

static inline void *ref_data(const ivl_tensor *t)
{
    return (char *)t->buf.host + ivl_dtype_bytes(t->dtype, t->off);
}

static inline REAL ref_get(const ivl_tensor *t, int64_t row, int64_t col)
{
    return (REAL)ivl_load(ref_data(t), t->dtype, row * t->pitch + col);
}

/* Element i of a contiguous tensor. */
static inline REAL ref_at(const ivl_tensor *t, int64_t i) { return (REAL)ivl_load(ref_data(t), t->dtype, i); }

static inline int32_t ref_int(const ivl_tensor *t, int64_t i) { return ((const int32_t *)ref_data(t))[i]; }

/* Row of t as REAL. */
static inline void ref_row(const ivl_tensor *t, int64_t row, REAL *v)
{
    const void *p = ref_data(t);
    int64_t n = ivl_cols(t), at = row * t->pitch;
    if (t->dtype == IVL_F32)
        for (int64_t i = 0; i < n; i++) v[i] = (REAL)((const float *)p)[at + i];
    else if (t->dtype == IVL_F64)
        for (int64_t i = 0; i < n; i++) v[i] = (REAL)((const double *)p)[at + i];
    else if (ivl_dtype_block(t->dtype) > 1)
        for (int64_t i = 0; i < n; i += IVL_QUANT_BLOCK) {
            float x[IVL_QUANT_BLOCK];
            ivl_dequantise(x, (const char *)p + ivl_dtype_bytes(t->dtype, at + i), t->dtype, IVL_QUANT_BLOCK);
            for (int j = 0; j < IVL_QUANT_BLOCK; j++) v[i + j] = (REAL)x[j];
        }
    else
        for (int64_t i = 0; i < n; i++) v[i] = (REAL)ivl_load(p, t->dtype, at + i);
}

/* Stores (or adds, if add) v. */
static inline void ref_put(const ivl_tensor *t, int64_t row, int64_t col, REAL v, bool add)
{
    if (add) v += ref_get(t, row, col);
    ivl_store(ref_data(t), t->dtype, row * t->pitch + col, (double)v);
}

static inline void ref_put_row(const ivl_tensor *t, int64_t row, const REAL *v, bool add)
{
    for (int64_t i = 0, n = ivl_cols(t); i < n; i++) ref_put(t, row, i, v[i], add);
}

static inline REAL *ref_alloc(int64_t n) { return calloc((size_t)(n > 0 ? n : 1), sizeof(REAL)); }

/* The value as it is after a round trip through storage type t. */
static inline REAL ref_round(ivl_dtype t, REAL v)
{
    double s[1];
    ivl_store(s, t, 0, (double)v);
    return (REAL)ivl_load(s, t, 0);
}

#endif
