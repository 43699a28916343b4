/* embed: one group per position. An id out of range is clamped, so that no launch leaves its tensors. */
#include "dialect.h"
#include "rows.h"
#include "quant.h"

#define ID(ids, i, vocab) ((ids)[i] < 0 ? 0 : (ids)[i] < (vocab) ? (ids)[i] : (vocab) - 1)

KERNEL WG(WG_SIZE) void embed_fwd(TENSOR_IN_AS(W, table), TENSOR_IN_AS(int, ids), TENSOR_OUT(y), int vocab,
                                  int cols)
{
    BEGIN(ids); BEGIN(y);
    IDX p = GROUP(0), row = table_off + (IDX)ID(ids, p, vocab) * table_pitch;
    y += p * y_pitch;
#ifdef W_QUANT
    EACH_COLUMN(i, cols) y[i] = load_w(table, row + i);
#else
    EACH_COLUMN(i, cols) y[i] = table[row + i];
#endif
}

KERNEL WG(WG_SIZE) void embed_zero(TENSOR_OUT_AS(float, dw), int rows, int cols, int per)
{
    BEGIN(dw);
    IDX row = (IDX)GROUP(0) * per, last = row + per < rows ? row + per : rows;
    for (; row < last; row++) EACH_COLUMN(i, cols) dw[row * dw_pitch + i] = 0;
}

/* Positions with one id form a chain: next[p] is the following one (count: none); next[count + p] is 1 for
 * the first. The ids that count as id, clamped ones included, are from .. from + span; they are looked for in
 * blocks without a branch inside, which compilers vectorise. */
enum { SCAN = 64 };

DEVICE int any_equal(GLOBAL const int *ids, int first, int last, uint from, uint span)
{
    int hit = 0;
    for (int q = first; q < last; q++) hit |= (uint)ids[q] - from <= span;
    return hit;
}

KERNEL WG(WG_SIZE) void embed_chain(TENSOR_IN_AS(int, ids), BUFFER(int, next), int count, int vocab)
{
    BEGIN(ids); BEGIN(next);
    int p = GROUP(0) * WG_SIZE + LID, q, earlier = 0;
    if (p >= count) return;
    int id = ID(ids, p, vocab);
    uint from = id == 0 ? 0x80000000u : (uint)id, span = (id == vocab - 1 ? 0x7fffffffu : (uint)id) - from;
    for (q = p; q > 0 && !earlier; q -= SCAN)
        earlier = any_equal(ids, q > SCAN ? q - SCAN : 0, q, from, span);
    for (q = p + 1; q + SCAN <= count && !any_equal(ids, q, q + SCAN, from, span); q += SCAN) {}
    while (q < count && (uint)ids[q] - from > span) q++;
    next[p] = q;
    next[count + p] = !earlier;
}

/* One group per position; the first of a chain adds all its rows, in order, to the table's row. */
KERNEL WG(WG_SIZE) void embed_bwd(TENSOR_IN_AS(int, ids), TENSOR_IN(dy), TENSOR_OUT_AS(float, dw),
                                  BUFFER(const int, next), int count, int vocab, int cols)
{
    BEGIN(ids); BEGIN(dy); BEGIN(dw); BEGIN(next);
    int p = GROUP(0);
    if (!next[count + p]) return;
    dw += (IDX)ID(ids, p, vocab) * dw_pitch;
    for (; p < count; p = next[p]) {
        GLOBAL const T *d = dy + (IDX)p * dy_pitch;
        EACH_COLUMN(i, cols) dw[i] += load1(d, i);
    }
}
