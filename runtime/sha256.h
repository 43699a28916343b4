/* SHA-256 (FIPS 180-4): names of cached kernels, checksums of files. */
#ifndef IVL_RUNTIME_SHA256_H
#define IVL_RUNTIME_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct ivl_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
} ivl_sha256;

void ivl_sha256_init(ivl_sha256 *s);
void ivl_sha256_add(ivl_sha256 *s, const void *data, size_t n);
void ivl_sha256_end(ivl_sha256 *s, uint8_t digest[32]);
/* Lower-case hexadecimal, 64 characters and a 0. */
void ivl_sha256_text(const uint8_t digest[32], char text[65]);

#endif
