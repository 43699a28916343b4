/* Scalar conversions of the storage types, reading any storage type as double, and blocks of quantised types. */
#ifndef IVL_RUNTIME_DTYPE_H
#define IVL_RUNTIME_DTYPE_H

#include <ivl/ivl.h>

float    ivl_bf16_to_f32(uint16_t h);
uint16_t ivl_f32_to_bf16(float f); /* round to nearest even; NaN stays NaN */
float    ivl_f16_to_f32(uint16_t h);
uint16_t ivl_f32_to_f16(float f);  /* round to nearest even, overflow to infinity */

/* Element i of an array of dtype t. Stores round through f32 for 16-bit types; whole numbers saturate, NaN becomes
 * 0; a single element of a quantised type can only be loaded. */
double ivl_load(const void *p, ivl_dtype t, int64_t i);
void   ivl_store(void *p, ivl_dtype t, int64_t i, double v);
/* Converts n elements; the fast row versions of the two above. Where one side is quantised, n is a multiple of its
 * block, and values pass through f32. */
void ivl_convert(void *dst, ivl_dtype to, const void *src, ivl_dtype from, int64_t n);

/* Values that share a scale: 32 for Q8_0, Q4_0 and Q4_1, 1 for the others. */
enum { IVL_QUANT_BLOCK = 32 };
int ivl_dtype_block(ivl_dtype t);
/* n values (a multiple of 32) to blocks of the quantised type t and back. Values must be finite, and below f16's
 * largest, 65504; memory need not be aligned for blocks. */
void ivl_quantise(void *dst, ivl_dtype t, const float *x, int64_t n);
void ivl_dequantise(float *x, const void *src, ivl_dtype t, int64_t n);

#endif
