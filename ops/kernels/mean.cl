/* mean over tokens: a group sums WG_SIZE * VEC columns, so that rows are read straight on. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void mean_fwd(TENSOR_IN(x), TENSOR_OUT(y), int tokens, int cols)
{
    BEGIN(x); BEGIN(y);
    IDX b = GROUP(1);
    int from = GROUP(0) * WG_SIZE * VEC;
    int n = cols - from < WG_SIZE * VEC ? cols - from : WG_SIZE * VEC;
    x += b * tokens * x_pitch + from;
    y += b * y_pitch + from;
    float sum[VEC], inv = 1.0f / (float)tokens;
    if (n == WG_SIZE * VEC) {
        for (int v = 0; v < VEC; v++) sum[v] = 0;
        for (IDX t = 0; t < tokens; t++)
            for (int v = 0; v < VEC; v++) sum[v] += load1(x, t * x_pitch + v * WG_SIZE + LID);
        for (int v = 0; v < VEC; v++) store1(y, v * WG_SIZE + LID, sum[v] * inv);
        return;
    }
    EACH_COLUMN(i, n) {
        float s = 0;
        for (IDX t = 0; t < tokens; t++) s += load1(x, t * x_pitch + i);
        store1(y, i, s * inv);
    }
}

/* dx[B,N,C] (+)= dy[B,1,C] / N; one group per row of dx, axis 1 walks the batch. */
KERNEL WG(WG_SIZE) void mean_bwd(TENSOR_IN(dy), TENSOR_OUT(dx), int tokens, int cols, int add)
{
    BEGIN(dy); BEGIN(dx);
    IDX t = GROUP(0), b = GROUP(1);
    float inv = 1.0f / (float)tokens;
    dy += b * dy_pitch;
    dx += (b * tokens + t) * dx_pitch;
    EACH_COLUMN(i, cols) put1(dx, i, load1(dy, i) * inv, add);
}
