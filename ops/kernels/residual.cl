/* residual: x + scale ls y; an absent ls or scale is 1. `batch` rows share one scale. */
#include "dialect.h"
#include "flat.h"
#include "math.h"
#include "rows.h"

KERNEL WG(WG_SIZE) void residual_fwd(TENSOR_IN(x), TENSOR_IN(y), TENSOR_IN(ls), TENSOR_IN_AS(float, scale),
                                     TENSOR_OUT(out), SPAN, IDX batch, int has_ls, int has_scale)
{
    BEGIN(x); BEGIN(y); BEGIN(ls); BEGIN(scale); BEGIN(out);
    EACH_ROW(r)
    {
        float s = has_scale ? scale[r / batch] : 1.0f;
        if (has_ls)
            EACH_COL(c)
                store1(ROW(out, r), c, residual_f(load1(ROW(x, r), c), s, load1(ls, c), load1(ROW(y, r), c)));
        else
            EACH_COL(c) store1(ROW(out, r), c, residual_f(load1(ROW(x, r), c), s, 1.0f, load1(ROW(y, r), c)));
    }
}

KERNEL WG(WG_SIZE) void residual_bwd(TENSOR_IN(dy), TENSOR_IN(ls), TENSOR_IN_AS(float, scale), TENSOR_OUT(d),
                                     SPAN, IDX batch, int has_ls, int has_scale, int add)
{
    BEGIN(dy); BEGIN(ls); BEGIN(scale); BEGIN(d);
    EACH_ROW(r)
    {
        float s = has_scale ? scale[r / batch] : 1.0f;
        if (has_ls)
            EACH_COL(c) put1(ROW(d, r), c, load1(ROW(dy, r), c) * (s * load1(ls, c)), add);
        else
            EACH_COL(c) put1(ROW(d, r), c, load1(ROW(dy, r), c) * s, add);
    }
}

/* partial[chunk, cols] of dls = sum over rows of dy scale y; a group takes per rows of all columns. */
KERNEL WG(WG_SIZE) void residual_bwd_ls(TENSOR_IN(dy), TENSOR_IN(y), TENSOR_IN_AS(float, scale),
                                        BUFFER(float, partial), int rows, int cols, int per, IDX batch,
                                        int has_scale)
{
    BEGIN(dy); BEGIN(y); BEGIN(scale); BEGIN(partial);
    int from = GROUP(0) * per, end = from + per < rows ? from + per : rows;
    partial += (IDX)GROUP(0) * cols;
    EACH_COLUMN(c, cols) partial[c] = 0;
    for (IDX r = from; r < end; r++) {
        float s = has_scale ? scale[r / batch] : 1.0f;
        EACH_COLUMN(c, cols) partial[c] += load1(ROW(dy, r), c) * s * load1(ROW(y, r), c);
    }
}

COLUMN_SUM_KERNEL
