/* roof: what a device can do at most. Not an op; ops/roof.c times it. */
#include "dialect.h"

/* Lanes of a vector register; CUDA has scalars. */
#ifndef LANES
#define LANES 1
#endif
#if LANES == 16
typedef float16 V;
#elif LANES == 8
typedef float8 V;
#elif LANES == 4
typedef float4 V;
#else
typedef float V;
#endif

/* Twelve sums per work-item hide the latency of a multiply-add and fit the registers: 24 * LANES * rounds
 * operations each. */
KERNEL WG(WG_SIZE) void roof_fma(GLOBAL V *y, float a, float b, int rounds)
{
    IDX i = (IDX)GROUP(0) * WG_SIZE + LID;
    V x = (V)(a), z = (V)(b);
    V s0 = z, s1 = z + x, s2 = s1 + x, s3 = s2 + x, s4 = s3 + x, s5 = s4 + x, s6 = s5 + x, s7 = s6 + x, s8 = s7 + x,
      s9 = s8 + x, s10 = s9 + x, s11 = s10 + x;
    for (int r = 0; r < rounds; r++) {
        s0 = FMA(s0, x, z), s1 = FMA(s1, x, z), s2 = FMA(s2, x, z), s3 = FMA(s3, x, z);
        s4 = FMA(s4, x, z), s5 = FMA(s5, x, z), s6 = FMA(s6, x, z), s7 = FMA(s7, x, z);
        s8 = FMA(s8, x, z), s9 = FMA(s9, x, z), s10 = FMA(s10, x, z), s11 = FMA(s11, x, z);
    }
    y[i] = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)) + ((s8 + s9) + (s10 + s11));
}
