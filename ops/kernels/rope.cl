/* rope: one group per row x[H*D]; table[positions, 2, pairs]: cos, then sin, of every pair; or the
 * frequencies alone. */
#include "dialect.h"

KERNEL WG(WG_SIZE) void rope_fwd(TENSOR_IN(x), TENSOR_IN_AS(int, pos), TENSOR_OUT(y),
                                 BUFFER(const float, table), int len, int heads, int pairs, float sign,
                                 int add)
{
    BEGIN(x); BEGIN(y); BEGIN(table);
    IDX r = GROUP(0);
    x += r * x_pitch;
    y += r * y_pitch;
#ifdef HAS_POS
    float at = (float)pos[pos_off + r];
#else
    table += 2 * (r % len) * (IDX)pairs;
#endif
    for (int h = 0; h < heads; h++)
        for (int i = LID; i < pairs; i += WG_SIZE) {
#ifdef HAS_POS
            float angle = at * table[i], c = COS(angle), s = sign * SIN(angle);
#else
            float c = table[i], s = sign * table[pairs + i];
#endif
#ifdef ADJACENT
            int a = 2 * (h * pairs + i), b = a + 1;
#else
            int a = 2 * h * pairs + i, b = a + pairs;
#endif
            float u = load1(x, a), v = load1(x, b);
            put1(y, a, u * c - v * s, add);
            put1(y, b, v * c + u * s, add);
        }
}
