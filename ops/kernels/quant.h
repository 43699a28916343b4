/* W: the type of a weight, which may be quantised (-DW_Q8_0, -DW_Q4_0, -DW_Q4_1) while T is float; else T. Blocks of 32
 * values lie as GGUF has them: a scale in f16, for Q4_1 a minimum, then whole numbers; nibbles: values 0 to 15 low, 16 to
 * 31 high. Elements are counted as everywhere; a row is whole blocks.
 *   load_w(p, i): element i, as runtime/quant.c has it. */
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
#define W_SCALE(block) load_f16((GLOBAL const ushort *)(block), 0)
#define W_LEAST(block) load_f16((GLOBAL const ushort *)(block), 1)

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
    float a = d * (float)v;
    return a + W_LEAST(b);
#endif
#endif
}
#else
typedef T W;
#define load_w load1
#endif

#endif
