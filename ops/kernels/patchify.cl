/* patchify: one group per patch row y[3*p*p], in the order (channel, row, column). */
#include "dialect.h"

#ifdef BYTES
#define PIXEL uchar
#else
#define PIXEL float
#endif

KERNEL WG(WG_SIZE) void patchify_fwd(TENSOR_IN_AS(PIXEL, px), TENSOR_IN_AS(int, keep), TENSOR_OUT(y),
                                     int height, int width, int p, int kept, float mean0, float mean1,
                                     float mean2, float std0, float std1, float std2)
{
    BEGIN(px); BEGIN(y);
    int r = GROUP(0), b = r / kept, across = width / p, patches = height / p * across;
#ifdef HAS_KEEP
    int at = keep[keep_off + r];
#else
    int at = r % kept;
#endif
    int inside = at >= 0 && at < patches, row0 = at / across * p, col0 = at % across * p;
    y += (IDX)r * y_pitch;
    for (int e = LID; e < 3 * p; e += WG_SIZE) { /* one line of one channel */
        int c = e / p, row = row0 + e % p;
        float mean = c == 0 ? mean0 : c == 1 ? mean1 : mean2, std = c == 0 ? std0 : c == 1 ? std1 : std2;
        for (int i = 0; i < p; i++) {
            float v = 0;
#ifdef BYTES
            if (inside)
                v = ((float)px[(((IDX)b * height + row) * width + col0 + i) * px_pitch + c] / 255.0f - mean) /
                    std;
#else
            if (inside) v = px[((IDX)(b * 3 + c) * height + row) * px_pitch + col0 + i];
#endif
            store1(y, e * p + i, v);
        }
    }
}
