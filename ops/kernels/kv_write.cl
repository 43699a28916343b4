/* kv_write, kv_reorder: one group per row of the cache. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void kv_write(TENSOR_OUT(cache), TENSOR_IN(x), TENSOR_IN_AS(int, pos), int room, int tokens,
                                 int cols, int copies)
{
    BEGIN(cache); BEGIN(x); BEGIN(pos);
    IDX t = GROUP(0), b = GROUP(1), at = pos[b] + t;
    if (at < 0 || at >= room) return;
    cache += (b * copies * room + at) * cache_pitch;
    x += (b * tokens + t) * x_pitch;
    EACH_COLUMN(i, cols) cache[i] = x[i];
}

/* A row of the parent into scratch; then from there into the cache. */
#define REORDER                                                                                             \
    BEGIN(cache); BEGIN(parent); BEGIN(len); BEGIN(copy);                                                   \
    IDX t = GROUP(0), r = GROUP(1);                                                                         \
    int from = parent[r] < 0 ? 0 : parent[r] < samples ? parent[r] : samples - 1;                           \
    if (from == r || t >= len[r]) return;                                                                   \
    copy += (r * room + t) * cols

KERNEL WG(WG_SIZE) void kv_take(TENSOR_IN(cache), TENSOR_IN_AS(int, parent), TENSOR_IN_AS(int, len), BUFFER(T, copy),
                                int samples, int room, int cols)
{
    REORDER;
    cache += ((IDX)from * room + t) * cache_pitch;
    EACH_COLUMN(i, cols) copy[i] = cache[i];
}

KERNEL WG(WG_SIZE) void kv_put(TENSOR_OUT(cache), TENSOR_IN_AS(int, parent), TENSOR_IN_AS(int, len),
                               BUFFER(const T, copy), int samples, int room, int cols)
{
    REORDER;
    cache += (r * room + t) * cache_pitch;
    EACH_COLUMN(i, cols) cache[i] = copy[i];
}
