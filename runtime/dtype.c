#include "runtime/dtype.h"

#include <ivl/backend.h>

#include <math.h>
#include <string.h>

static uint32_t bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static float from_bits(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

float ivl_bf16_to_f32(uint16_t h) { return from_bits((uint32_t)h << 16); }

uint16_t ivl_f32_to_bf16(float f)
{
    uint32_t u = bits(f);
    if (f != f) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float ivl_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
    if (e == 31) return from_bits(sign | 0x7f800000 | m << 13);
    if (e == 0) {
        float f = ldexpf((float)m, -24);
        return sign ? -f : f;
    }
    return from_bits(sign | (e + 112) << 23 | m << 13);
}

uint16_t ivl_f32_to_f16(float f)
{
    uint32_t u = bits(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* rounds to 65520 or more */
    if (a < 0x38800000) {                                  /* subnormal half: value is n * 2^-24 */
        float n = ldexpf(from_bits(a), 24);
        return (uint16_t)(sign | (uint32_t)nearbyintf(n));
    }
    uint32_t r = a - 0x38000000;
    return (uint16_t)(sign | (r + 0xfff + (r >> 13 & 1)) >> 13);
}

static double load_quantised(const void *p, ivl_dtype t, int64_t i)
{
    float x[IVL_QUANT_BLOCK];
    ivl_dequantise(x, (const char *)p + ivl_dtype_bytes(t, i - i % IVL_QUANT_BLOCK), t, IVL_QUANT_BLOCK);
    return x[i % IVL_QUANT_BLOCK];
}

double ivl_load(const void *p, ivl_dtype t, int64_t i)
{
    switch (t) {
    case IVL_F32: return ((const float *)p)[i];
    case IVL_BF16: return ivl_bf16_to_f32(((const uint16_t *)p)[i]);
    case IVL_F16: return ivl_f16_to_f32(((const uint16_t *)p)[i]);
    case IVL_F64: return ((const double *)p)[i];
    case IVL_I32: return ((const int32_t *)p)[i];
    case IVL_U8: return ((const uint8_t *)p)[i];
    case IVL_Q8_0:
    case IVL_Q4_0:
    case IVL_Q4_1: return load_quantised(p, t, i);
    default: return NAN;
    }
}

/* Whole numbers saturate; NaN becomes 0. */
static double limit(double v, double lo, double hi) { return v != v ? 0 : v < lo ? lo : v > hi ? hi : v; }

void ivl_store(void *p, ivl_dtype t, int64_t i, double v)
{
    switch (t) {
    case IVL_F32: ((float *)p)[i] = (float)v; break;
    case IVL_BF16: ((uint16_t *)p)[i] = ivl_f32_to_bf16((float)v); break;
    case IVL_F16: ((uint16_t *)p)[i] = ivl_f32_to_f16((float)v); break;
    case IVL_F64: ((double *)p)[i] = v; break;
    case IVL_I32: ((int32_t *)p)[i] = (int32_t)limit(v, INT32_MIN, INT32_MAX); break;
    case IVL_U8: ((uint8_t *)p)[i] = (uint8_t)limit(v, 0, 255); break;
    default: break;
    }
}

static void convert_blocks(void *dst, ivl_dtype to, const void *src, ivl_dtype from, int64_t n)
{
    float x[IVL_QUANT_BLOCK];
    size_t in = ivl_dtype_bytes(from, IVL_QUANT_BLOCK), out = ivl_dtype_bytes(to, IVL_QUANT_BLOCK);
    const char *s = src;
    char *d = dst;
    for (int64_t i = 0; i < n; i += IVL_QUANT_BLOCK, s += in, d += out) {
        if (ivl_dtype_block(from) > 1) ivl_dequantise(x, s, from, IVL_QUANT_BLOCK);
        else ivl_convert(x, IVL_F32, s, from, IVL_QUANT_BLOCK);
        if (ivl_dtype_block(to) > 1) ivl_quantise(d, to, x, IVL_QUANT_BLOCK);
        else ivl_convert(d, to, x, IVL_F32, IVL_QUANT_BLOCK);
    }
}

void ivl_convert(void *dst, ivl_dtype to, const void *src, ivl_dtype from, int64_t n)
{
    if (to == from) {
        if (n) memcpy(dst, src, ivl_dtype_bytes(to, n));
        return;
    }
    if (ivl_dtype_block(from) > 1 || ivl_dtype_block(to) > 1) {
        convert_blocks(dst, to, src, from, n);
        return;
    }
    const uint16_t *h = src;
    const float *f = src;
    float *df = dst;
    uint16_t *dh = dst;
    if (from == IVL_BF16 && to == IVL_F32)
        for (int64_t i = 0; i < n; i++) df[i] = ivl_bf16_to_f32(h[i]);
    else if (from == IVL_F16 && to == IVL_F32)
        for (int64_t i = 0; i < n; i++) df[i] = ivl_f16_to_f32(h[i]);
    else if (from == IVL_F32 && to == IVL_BF16)
        for (int64_t i = 0; i < n; i++) dh[i] = ivl_f32_to_bf16(f[i]);
    else if (from == IVL_F32 && to == IVL_F16)
        for (int64_t i = 0; i < n; i++) dh[i] = ivl_f32_to_f16(f[i]);
    else
        for (int64_t i = 0; i < n; i++) ivl_store(dst, to, i, ivl_load(src, from, i));
}

static const struct { const char *name, *alias; int block, bytes; } types[] = {
    [IVL_F32] = { "f32", "fp32", 1, 4 },   [IVL_BF16] = { "bf16", "bfloat16", 1, 2 },
    [IVL_F16] = { "f16", "fp16", 1, 2 },   [IVL_F64] = { "f64", "fp64", 1, 8 },
    [IVL_I32] = { "i32", "int32", 1, 4 },  [IVL_U8] = { "u8", "uint8", 1, 1 },
    [IVL_Q8_0] = { "q8_0", "Q8_0", 32, 34 }, [IVL_Q4_0] = { "q4_0", "Q4_0", 32, 18 },
    [IVL_Q4_1] = { "q4_1", "Q4_1", 32, 20 },
};
enum { N_TYPES = sizeof types / sizeof *types };

size_t ivl_dtype_bytes(ivl_dtype t, int64_t n)
{
    return (size_t)(n / types[t].block) * (size_t)types[t].bytes;
}

int ivl_dtype_block(ivl_dtype t) { return types[t].block; }

const char *ivl_dtype_name(ivl_dtype t) { return (unsigned)t < N_TYPES ? types[t].name : "?"; }

ivl_status ivl_dtype_parse(const char *name, ivl_dtype *dtype_p)
{
    for (int i = 0; i < N_TYPES; i++)
        if (!strcmp(name, types[i].name) || !strcmp(name, types[i].alias)) {
            *dtype_p = (ivl_dtype)i;
            return IVL_OK;
        }
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__,
                    "unknown element type '%s': use f32, bf16, f16, f64, i32, u8, q8_0, q4_0 or q4_1", name);
}
