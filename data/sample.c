/* Permutations without a table: a Feistel network on the smallest even number of bits that holds n, walked on
 * until the result is below n (Black & Rogaway, CT-RSA 2002). */
#include "data/sample.h"

enum { ROUNDS = 6 };

static int half_bits(int64_t n)
{
    int bits = 1;
    while (bits < 31 && (int64_t)1 << (2 * bits) < n) bits++;
    return bits;
}

static uint32_t mix(ivl_rng r, uint64_t c, int round, uint32_t v, uint32_t mask)
{
    uint32_t out[4];
    ivl_rng_bits(r, (uint32_t)round, v, c, out);
    return out[0] & mask;
}

int64_t ivl_permute(ivl_rng r, uint64_t c, int64_t n, int64_t i)
{
    int bits = half_bits(n);
    uint32_t mask = (uint32_t)((1u << bits) - 1);
    do {
        uint32_t left = (uint32_t)(i >> bits), right = (uint32_t)i & mask;
        for (int k = 0; k < ROUNDS; k++) {
            uint32_t t = left ^ mix(r, c, k, right, mask);
            left = right, right = t;
        }
        i = (int64_t)left << bits | right;
    } while (i >= n);
    return i;
}

int64_t ivl_permute_inverse(ivl_rng r, uint64_t c, int64_t n, int64_t i)
{
    int bits = half_bits(n);
    uint32_t mask = (uint32_t)((1u << bits) - 1);
    do {
        uint32_t left = (uint32_t)(i >> bits), right = (uint32_t)i & mask;
        for (int k = ROUNDS - 1; k >= 0; k--) {
            uint32_t t = right ^ mix(r, c, k, left, mask);
            right = left, left = t;
        }
        i = (int64_t)left << bits | right;
    } while (i >= n);
    return i;
}

/* Records in the first k of the permuted blocks, when the short last block stands at place `ragged` among
 * them. */
static int64_t before(const ivl_sampler *s, int64_t blocks, int64_t ragged, int64_t k)
{
    int64_t n = k * s->block;
    return k > ragged ? n - (blocks * s->block - s->n) : n;
}

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t blockwise(const ivl_sampler *s, uint64_t epoch, int64_t i)
{
    ivl_rng order = ivl_rng_make(s->seed, "sample blocks"), within = ivl_rng_make(s->seed, "sample window");
    int64_t blocks = (s->n + s->block - 1) / s->block;
    int64_t ragged = ivl_permute_inverse(order, epoch, blocks, blocks - 1);
    int64_t w = i / (IVL_SAMPLE_WINDOW * s->block); /* or the one after, as the short block may come before */
    if (i >= before(s, blocks, ragged, min64((w + 1) * IVL_SAMPLE_WINDOW, blocks))) w++;
    int64_t first = w * IVL_SAMPLE_WINDOW, last = min64(first + IVL_SAMPLE_WINDOW, blocks);
    int64_t start = before(s, blocks, ragged, first), size = before(s, blocks, ragged, last) - start;
    int64_t j = start + ivl_permute(within, epoch << 32 ^ (uint64_t)w, size, i - start);
    int64_t k = first;
    while (before(s, blocks, ragged, k + 1) <= j) k++;
    return ivl_permute(order, epoch, blocks, k) * s->block + j - before(s, blocks, ragged, k);
}

int64_t ivl_sampler_at(const ivl_sampler *s, int64_t position)
{
    uint64_t epoch = (uint64_t)(position / s->n);
    int64_t i = position % s->n;
    if (s->block > 0 && s->block < s->n) return blockwise(s, epoch, i);
    return ivl_permute(ivl_rng_make(s->seed, "sample"), epoch, s->n, i);
}
