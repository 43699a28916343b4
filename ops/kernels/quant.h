/* W: the type of a weight, which may be quantised (-DW_Q8_0, -DW_Q4_0, -DW_Q4_1) while T is float; else T. Blocks of 32
 * values lie as GGUF has them: a scale in f16, for Q4_1 a minimum, then whole numbers; nibbles: values 0 to 15 low, 16
 * to 31 high. Elements are counted as everywhere; a row is whole blocks.
 *   load_w(p, i): element i, as runtime/quant.c has it, bit for bit: a scale's 11 bits times a number's 8 are exact.
 *   numbers_w(block, at), value_w(d, least, q): on CPUs, VW whole numbers of a block from its value `at` (a multiple of
 *   VW) on, as floats, and what they stand for. */
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
typedef short W_SHORTS __attribute__((ext_vector_type(8)));
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
typedef W_JOIN(uchar, VW) WU;
DEVICE WV numbers_w(GLOBAL const uchar *block, int at)
{
#ifdef W_Q8_0
    return W_JOIN(convert_float, VW)(W_JOIN(vload, VW)(0, (GLOBAL const char *)(block + 2 + at)));
#else
    WU q = W_JOIN(vload, VW)(0, block + W_BYTES - 16 + (at & 15));
    WV v = W_JOIN(convert_float, VW)(at < 16 ? q & (WU)15 : q >> (WU)4);
#ifdef W_Q4_0
    v -= 8.0f;
#endif
    return v;
#endif
}
#ifdef W_Q4_1
DEVICE WV value_w(float d, float least, WV q) { return d * q + least; }
#else
DEVICE WV value_w(float d, float least, WV q) { return d * q; }
#undef W_LEAST
#define W_LEAST(block) 0.0f
#endif
#endif
#else
typedef T W;
#define load_w load1
#endif

#endif
