/* Counter-based random numbers: a pure function of (seed, stream name, three counters), so restart,
 * recompute, sharding and thread count change nothing. Philox4x32-10 (Salmon et al., SC'11). */
#ifndef IVL_RUNTIME_RNG_H
#define IVL_RUNTIME_RNG_H

#include <stdint.h>

typedef struct ivl_rng { uint32_t key[2]; } ivl_rng;

/* stream names what is drawn ("crop", "keep", "init:NAME"): different names are independent. */
ivl_rng  ivl_rng_make(uint64_t seed, const char *stream);
void     ivl_rng_bits(ivl_rng r, uint32_t a, uint32_t b, uint64_t c, uint32_t out[4]);
double   ivl_rng_uniform(ivl_rng r, uint32_t a, uint32_t b, uint64_t c); /* [0, 1), 53 bits */
double   ivl_rng_normal(ivl_rng r, uint32_t a, uint32_t b, uint64_t c);
/* N(0, std) truncated at 2 std, by rejection over further counters. */
double   ivl_rng_trunc_normal(ivl_rng r, uint32_t a, uint32_t b, uint64_t c, double std);
uint64_t ivl_rng_below(ivl_rng r, uint32_t a, uint32_t b, uint64_t c, uint64_t n); /* [0, n) */
/* A random permutation of 0..n-1 (Fisher-Yates on counters (a, b, i)). */
void     ivl_rng_permute(ivl_rng r, uint32_t a, uint32_t b, int32_t *perm, int32_t n);

#endif
