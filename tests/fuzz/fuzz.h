/* A harness feeds bytes to one reader: libFuzzer's entry point, also called by run.c for every committed
 * file. */
#ifndef IVL_TESTS_FUZZ_H
#define IVL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
