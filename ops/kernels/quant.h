/* W: the type of a weight, which may be quantised (-DW_Q8_0, -DW_Q4_0, -DW_Q4_1) while T is float; else T. Blocks of 32
 * values lie as GGUF has them: a scale in f16, for Q4_1 a minimum, then whole numbers; nibbles: values 0 to 15 low, 16
 * to 31 high. Elements are counted as everywhere; a row is whole blocks.
 *   load_w(p, i): element i, as runtime/quant.c has it, bit for bit: a scale's 11 bits times a number's 8 are exact.
 * On CPUs also, VW at a time, for blocks that follow one another:
 *   scales_w(block, n, d): scale and minimum (if there are minima) of n blocks, one behind the other
 *   part_w(block, j, d, least): values j VW to (j + 1) VW of a block */
#ifndef IVL_KERNELS_QUANT_H
#define IVL_KERNELS_QUANT_H

#if defined(W_Q8_0) || defined(W_Q4_0) || defined(W_Q4_1)
#define W_QUANT
typedef uchar W;

#ifdef W_Q8_0
#define W_BYTES 34
#elif defined(W_Q4_0)
#define W_BYTES 18
#else
#define W_BYTES 20
#endif
#define W_BLOCK(p, i) ((p) + ((i) >> 5) * W_BYTES)
#if defined(__F16C__) && defined(__OPENCL_VERSION__) && WG_SIZE == 1
/* x86's instruction; PoCL's own way takes a dozen. */
typedef short W_SHORTS __attribute__((ext_vector_type(8), aligned(2)));
DEVICE float w_half(GLOBAL const uchar *p)
{
    W_SHORTS h = { *(GLOBAL const short *)p, 0, 0, 0, 0, 0, 0, 0 };
    float4 f = __builtin_ia32_vcvtph2ps(h);
    return f.x;
}
#else
#define w_half(p) load_f16((GLOBAL const ushort *)(p), 0)
#endif
#define W_SCALE(block) w_half(block)
#define W_LEAST(block) w_half((block) + 2)

DEVICE float load_w(GLOBAL const W *p, IDX i)
{
    GLOBAL const uchar *b = W_BLOCK(p, i);
    int at = (int)(i & 31);
    float d = W_SCALE(b);
#ifdef W_Q8_0
    return d * (float)(signed char)b[2 + at];
#else
    GLOBAL const uchar *q = b + W_BYTES - 16;
    int v = at < 16 ? q[at] & 15 : q[at - 16] >> 4;
#ifdef W_Q4_0
    return d * (float)(v - 8);
#else
    return d * (float)v + W_LEAST(b);
#endif
#endif
}

#if defined(VW) && WG_SIZE == 1 && defined(__OPENCL_VERSION__)
#define W_JOIN2(a, b) a##b
#define W_JOIN(a, b) W_JOIN2(a, b)
typedef W_JOIN(float, VW) WV;
typedef W_JOIN(uint, VW) WI;

DEVICE __attribute__((always_inline)) void scales_w(GLOBAL const uchar *block, int n, float *d)
{
    for (int i = 0; i < n; i++) {
#if defined(__F16C__)
        W_SHORTS h = *(GLOBAL const W_SHORTS *)(block + i * W_BYTES); /* no more than a block */
        float4 f = __builtin_ia32_vcvtph2ps(h);
        vstore2(f.lo, i, d);
#else
        d[2 * i] = W_SCALE(block + i * W_BYTES);
        d[2 * i + 1] = W_LEAST(block + i * W_BYTES);
#endif
    }
}

/* Nibbles of part j, in the low four bits, and perhaps more above. */
#define W_NIBBLES(q, j) \
    (W_JOIN(convert_uint, VW)(W_JOIN(vload, VW)(0, (q) + ((j) * VW & 15))) >> ((j) * VW >= 16 ? 4u : 0u))
DEVICE __attribute__((always_inline)) WV part_w(GLOBAL const uchar *block, int j, float d, float least)
{
#ifdef W_Q8_0
    return d * W_JOIN(convert_float, VW)(W_JOIN(vload, VW)(j, (GLOBAL const char *)(block + 2)));
#else
    GLOBAL const uchar *q = block + W_BYTES - 16;
#ifdef W_Q4_0
    least = -8.0f * d;
#endif
#if VW == 16 && defined(__AVX512F__)
    /* The 16 values that a number can stand for; the instruction looks at four bits. */
    WV table = d * (WV)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + least;
    return __builtin_ia32_permvarsf512(table, as_int16(W_NIBBLES(q, j)));
#else
    return d * W_JOIN(convert_float, VW)(W_NIBBLES(q, j) & 15u) + least;
#endif
#endif
}
#endif
#else
typedef T W;
#define load_w load1
#endif

#endif
