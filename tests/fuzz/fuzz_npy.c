#include "runtime/npy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ivl_npy npy = { 0 };
    volatile float sum = 0;
    if (ivl_npy_parse(data, size, "input", &npy) != IVL_OK) return 0;
    for (int64_t i = 0; i < npy.rows * npy.cols; i++) sum = sum + npy.x[i];
    ivl_npy_close(&npy);
    return 0;
}
