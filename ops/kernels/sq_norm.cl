/* sq_norm: every group sums the squares of one chunk of a tensor into partial; one group then adds the
 * chunks. */
#include "dialect.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void sq_norm_chunk(TENSOR_IN(x), BUFFER(float, partial), IDX count, int chunk)
{
    GROUP_TMP(tmp);
    BEGIN(x); BEGIN(partial);
    IDX from = (IDX)GROUP(0) * chunk;
    int n = count - from < chunk ? (int)(count - from) : chunk;
    x += from;
    float sum;
    ROW_SUM(sum, i, n, tmp, load1(x, i) * load1(x, i));
    if (LID == 0) partial[GROUP(0)] = sum;
}

KERNEL WG(WG_SIZE) void sq_norm_sum(BUFFER(const float, partial), TENSOR_OUT_AS(float, y), int count)
{
    GROUP_TMP(tmp);
    BEGIN(partial); BEGIN(y);
    float sum;
    ROW_SUM(sum, i, count, tmp, partial[i]);
    if (LID == 0) y[0] = sum;
}
