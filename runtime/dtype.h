/* Scalar conversions of the storage types, and reading any storage type as double. */
#ifndef IVL_RUNTIME_DTYPE_H
#define IVL_RUNTIME_DTYPE_H

#include <ivl/ivl.h>

float    ivl_bf16_to_f32(uint16_t h);
uint16_t ivl_f32_to_bf16(float f); /* round to nearest even; NaN stays NaN */
float    ivl_f16_to_f32(uint16_t h);
uint16_t ivl_f32_to_f16(float f);  /* round to nearest even, overflow to infinity */

/* Element i of an array of dtype t (not quantised). Stores round through f32 for 16-bit types;
 * whole numbers saturate, NaN becomes 0. */
double ivl_load(const void *p, ivl_dtype t, int64_t i);
void   ivl_store(void *p, ivl_dtype t, int64_t i, double v);
/* Converts n elements; the fast row versions of the two above. */
void ivl_convert(void *dst, ivl_dtype to, const void *src, ivl_dtype from, int64_t n);

#endif
