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

/* Vectors that are an item's: a run of its own on CPUs, every so many on GPUs. */
#if WG_SIZE == 1
#define ITEM_FROM (n * GROUP(0) / NUM_GROUPS(0))
#define ITEM_TO (n * (GROUP(0) + 1) / NUM_GROUPS(0))
#define ITEM_STEP 1
#else
#define ITEM_FROM ((IDX)GROUP(0) * WG_SIZE + LID)
#define ITEM_TO n
#define ITEM_STEP ((IDX)NUM_GROUPS(0) * WG_SIZE)
#endif

/* Reads x[n] `rounds` times; n is a multiple of 8 for every item. What is added to z differs by round, or a compiler
 * would read once. */
KERNEL WG(WG_SIZE) void roof_read(GLOBAL const V *x, GLOBAL V *y, IDX n, int rounds)
{
    V z0 = (V)(0.0f), z1 = z0, z2 = z0, z3 = z0, z4 = z0, z5 = z0, z6 = z0, z7 = z0;
    for (int r = 0; r < rounds; r++) {
        for (IDX i = ITEM_FROM; i + 7 * ITEM_STEP < ITEM_TO; i += 8 * ITEM_STEP) {
            z0 = z0 + x[i], z1 = z1 + x[i + ITEM_STEP];
            z2 = z2 + x[i + 2 * ITEM_STEP], z3 = z3 + x[i + 3 * ITEM_STEP];
            z4 = z4 + x[i + 4 * ITEM_STEP], z5 = z5 + x[i + 5 * ITEM_STEP];
            z6 = z6 + x[i + 6 * ITEM_STEP], z7 = z7 + x[i + 7 * ITEM_STEP];
        }
        z0 += (V)((float)r);
    }
    y[(IDX)GROUP(0) * WG_SIZE + LID] = ((z0 + z1) + (z2 + z3)) + ((z4 + z5) + (z6 + z7));
}

KERNEL WG(WG_SIZE) void roof_copy(GLOBAL const V *RESTRICT x, GLOBAL V *RESTRICT y, IDX n, int rounds)
{
    for (int r = 0; r < rounds; r++) /* each round writes something else, so none can be left out */
        for (IDX i = ITEM_FROM; i < ITEM_TO; i += ITEM_STEP) y[i] = x[i] + (V)((float)r);
}
