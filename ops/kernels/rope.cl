/* rope: one group per row x[H*D]; table[positions, 2, pairs]: cos, then sin, of every pair; or the
 * frequencies alone. */
#include "dialect.h"

/* Element 0 and 1 of pair i of head h. */
#ifdef ADJACENT
#define PAIR_0(h, i) (2 * ((h) * pairs + (i)))
#define PAIR_1(h, i) (PAIR_0(h, i) + 1)
#else
#define PAIR_0(h, i) (2 * (h) * pairs + (i))
#define PAIR_1(h, i) (PAIR_0(h, i) + pairs)
#endif

DEVICE void turn(GLOBAL const T *x, GLOBAL T *y, int a, int b, float c, float s, int add)
{
    float u = load1(x, a), v = load1(x, b);
    put1(y, a, u * c - v * s, add);
    put1(y, b, v * c + u * s, add);
}

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
    for (int i = LID; i < pairs; i += WG_SIZE) { /* an angle serves all heads */
        float angle = at * table[i], c = COS(angle), s = sign * SIN(angle);
        for (int h = 0; h < heads; h++) turn(x, y, PAIR_0(h, i), PAIR_1(h, i), c, s, add);
    }
#else
    table += 2 * (r % len) * (IDX)pairs;
    for (int h = 0; h < heads; h++)
        for (int i = LID; i < pairs; i += WG_SIZE)
            turn(x, y, PAIR_0(h, i), PAIR_1(h, i), table[i], sign * table[pairs + i], add);
#endif
}
