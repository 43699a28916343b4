/* Any bytes as a picture: decoded at full size and scaled, or refused. */
#include "data/image.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    for (int side = 0; side <= 16; side += 16) {
        ivl_image im = { 0 };
        if (ivl_image_decode(data, n, "fuzz", side, &im) != IVL_OK) continue;
        volatile uint8_t sum = 0;
        size_t all = (size_t)im.width * (size_t)im.height * 3;
        for (size_t i = 0; i < all; i += 61) sum = (uint8_t)(sum + im.rgb[i]);
        ivl_image_free(&im);
    }
    return 0;
}
