/* Which record stands at which place of the endless shuffled sequence: a pure function, so any step can be
 * begun at and any number of processes take slices of the same batches. Every epoch is a permutation of its
 * own. */
#ifndef IVL_DATA_SAMPLE_H
#define IVL_DATA_SAMPLE_H

#include <stdint.h>

#include "runtime/rng.h"

typedef struct ivl_sampler {
    uint64_t seed;
    int64_t  n;      /* records, at least 1 */
    int64_t block; /* 0: shuffle all of them freely; else shuffle blocks of this many, and the records within
                      each IVL_SAMPLE_WINDOW blocks, so that reads stay near each other on disk */
} ivl_sampler;

enum { IVL_SAMPLE_WINDOW = 32 };

int64_t ivl_sampler_at(const ivl_sampler *s, int64_t position);

/* Place i of permutation number c of 0..n-1, and the other way. */
int64_t ivl_permute(ivl_rng r, uint64_t c, int64_t n, int64_t i);
int64_t ivl_permute_inverse(ivl_rng r, uint64_t c, int64_t n, int64_t i);

#endif
