#include "runtime/rng.h"

#include <math.h>

ivl_rng ivl_rng_make(uint64_t seed, const char *stream)
{
    uint64_t h = 0xcbf29ce484222325u ^ seed; /* FNV-1a of the name, seeded */
    for (const unsigned char *p = (const unsigned char *)stream; *p; p++) h = (h ^ *p) * 0x100000001b3u;
    h ^= seed * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    h ^= h >> 31;
    return (ivl_rng){ { (uint32_t)h, (uint32_t)(h >> 32) } };
}

void ivl_rng_bits(ivl_rng r, uint32_t a, uint32_t b, uint64_t c, uint32_t out[4])
{
    uint32_t x[4] = { a, b, (uint32_t)c, (uint32_t)(c >> 32) }, k0 = r.key[0], k1 = r.key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * x[0], p1 = (uint64_t)0xCD9E8D57u * x[2];
        uint32_t y[4] = { (uint32_t)(p1 >> 32) ^ x[1] ^ k0, (uint32_t)p1,
                          (uint32_t)(p0 >> 32) ^ x[3] ^ k1, (uint32_t)p0 };
        for (int i = 0; i < 4; i++) x[i] = y[i];
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++) out[i] = x[i];
}

static double to_uniform(uint32_t hi, uint32_t lo)
{
    return (double)(((uint64_t)hi << 32 | lo) >> 11) * 0x1p-53;
}

double ivl_rng_uniform(ivl_rng r, uint32_t a, uint32_t b, uint64_t c)
{
    uint32_t w[4];
    ivl_rng_bits(r, a, b, c, w);
    return to_uniform(w[0], w[1]);
}

double ivl_rng_normal(ivl_rng r, uint32_t a, uint32_t b, uint64_t c)
{
    uint32_t w[4];
    ivl_rng_bits(r, a, b, c, w);
    double u = to_uniform(w[0], w[1]), v = to_uniform(w[2], w[3]);
    return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

double ivl_rng_trunc_normal(ivl_rng r, uint32_t a, uint32_t b, uint64_t c, double std)
{
    for (uint32_t t = 0; t < 64; t++) {
        double x = ivl_rng_normal(r, a, b ^ t << 24, c);
        if (fabs(x) <= 2) return std * x;
    }
    return 0;
}

uint64_t ivl_rng_below(ivl_rng r, uint32_t a, uint32_t b, uint64_t c, uint64_t n)
{
    return (uint64_t)(ivl_rng_uniform(r, a, b, c) * (double)n);
}

void ivl_rng_permute(ivl_rng r, uint32_t a, uint32_t b, int32_t *perm, int32_t n)
{
    for (int32_t i = 0; i < n; i++) perm[i] = i;
    for (int32_t i = n - 1; i > 0; i--) {
        int32_t j = (int32_t)ivl_rng_below(r, a, b, (uint64_t)i, (uint64_t)i + 1), t = perm[i];
        perm[i] = perm[j], perm[j] = t;
    }
}
