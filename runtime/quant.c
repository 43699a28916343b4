/* Blocks of 32 values as GGUF lays them out: a scale in f16 (for Q4_1 also a minimum), then the whole numbers. Rounding
 * is that of ggml's reference quantiser, bit for bit, so that files made here equal those made there. */
#include "runtime/dtype.h"

#include <math.h>
#include <string.h>

enum { BLOCK = IVL_QUANT_BLOCK, HALF = BLOCK / 2 };

static float get_f16(const unsigned char *p) { uint16_t h; memcpy(&h, p, 2); return ivl_f16_to_f32(h); }
static void put_f16(unsigned char *p, float f) { uint16_t h = ivl_f32_to_f16(f); memcpy(p, &h, 2); }

/* Cut to a whole number within lo..hi; NaN becomes lo. */
static int whole(float v, int lo, int hi) { return !(v > (float)lo) ? lo : v >= (float)hi ? hi : (int)v; }

/* --- one block ------------------------------------------------------------------------------------ */

/* scale f16, 32 x i8: value = scale * q, scale = max|x| / 127 */
static void put_q8_0(unsigned char *p, const float *x)
{
    float most = 0;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(x[i]) > most) most = fabsf(x[i]);
    float d = most / 127, inverse = d != 0 ? 1 / d : 0;
    put_f16(p, d);
    for (int i = 0; i < BLOCK; i++) p[2 + i] = (unsigned char)whole(roundf(x[i] * inverse) + 128, 0, 255) ^ 0x80;
}

static void get_q8_0(float *x, const unsigned char *p)
{
    float d = get_f16(p);
    for (int i = 0; i < BLOCK; i++) x[i] = d * (float)((int)(p[2 + i] ^ 0x80) - 128);
}

/* scale f16, 16 bytes with value i below and value i + 16 above: value = scale * (q - 8). The value furthest from zero
 * becomes -8. */
static void put_q4_0(unsigned char *p, const float *x)
{
    float most = 0, signed_most = 0;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(x[i]) > most) most = fabsf(x[i]), signed_most = x[i];
    float d = signed_most / -8, inverse = d != 0 ? 1 / d : 0;
    put_f16(p, d);
    for (int i = 0; i < HALF; i++) {
        float a = x[i] * inverse, b = x[HALF + i] * inverse; /* kept apart from the sum: no contraction */
        p[2 + i] = (unsigned char)(whole(a + 8.5f, 0, 15) | whole(b + 8.5f, 0, 15) << 4);
    }
}

static void get_q4_0(float *x, const unsigned char *p)
{
    float d = get_f16(p);
    for (int i = 0; i < HALF; i++) {
        x[i] = d * (float)((p[2 + i] & 15) - 8);
        x[HALF + i] = d * (float)((p[2 + i] >> 4) - 8);
    }
}

/* scale f16, minimum f16, then as above: value = scale * q + minimum */
static void put_q4_1(unsigned char *p, const float *x)
{
    float lo = x[0], hi = x[0];
    for (int i = 1; i < BLOCK; i++) {
        if (x[i] < lo) lo = x[i];
        if (x[i] > hi) hi = x[i];
    }
    float d = (hi - lo) / 15, inverse = d != 0 ? 1 / d : 0;
    put_f16(p, d), put_f16(p + 2, lo);
    for (int i = 0; i < HALF; i++) {
        float a = (x[i] - lo) * inverse, b = (x[HALF + i] - lo) * inverse;
        p[4 + i] = (unsigned char)(whole(a + 0.5f, 0, 15) | whole(b + 0.5f, 0, 15) << 4);
    }
}

static void get_q4_1(float *x, const unsigned char *p)
{
    float d = get_f16(p), lo = get_f16(p + 2);
    for (int i = 0; i < HALF; i++) {
        float a = d * (float)(p[4 + i] & 15), b = d * (float)(p[4 + i] >> 4);
        x[i] = a + lo, x[HALF + i] = b + lo;
    }
}

/* --- rows ----------------------------------------------------------------------------------------- */

void ivl_quantise(void *dst, ivl_dtype t, const float *x, int64_t n)
{
    size_t bytes = ivl_dtype_bytes(t, BLOCK);
    unsigned char *p = dst;
    for (int64_t i = 0; i < n; i += BLOCK, p += bytes, x += BLOCK) {
        if (t == IVL_Q8_0) put_q8_0(p, x);
        else if (t == IVL_Q4_0) put_q4_0(p, x);
        else put_q4_1(p, x);
    }
}

void ivl_dequantise(float *x, const void *src, ivl_dtype t, int64_t n)
{
    size_t bytes = ivl_dtype_bytes(t, BLOCK);
    const unsigned char *p = src;
    for (int64_t i = 0; i < n; i += BLOCK, p += bytes, x += BLOCK) {
        if (t == IVL_Q8_0) get_q8_0(x, p);
        else if (t == IVL_Q4_0) get_q4_0(x, p);
        else get_q4_1(x, p);
    }
}
