/* Row-wise kernels. In a group's row, lane l owns the columns l, l + WG_SIZE, ...: neighbours on a GPU read
 * neighbours, and a group of one (CPUs) reads the row straight on, which compilers vectorise. */
#ifndef IVL_KERNELS_ROWS_H
#define IVL_KERNELS_ROWS_H

/* Local memory of group_sum; a group of one needs none. */
#if WG_SIZE > 1
#define GROUP_TMP(tmp) LOCAL float tmp[WG_SIZE]
#elif defined(__OPENCL_VERSION__)
#define GROUP_TMP(tmp) LOCAL float *tmp = 0
#else
#define GROUP_TMP(tmp) float *tmp = 0
#endif

#define EACH_COLUMN(i, cols) for (int i = LID; i < (cols); i += WG_SIZE)

/* sum = sum over the row's columns i of term, in every lane. VEC partial sums per lane vectorise, and keep
 * the chain of roundings short; what does not fill all of them goes into one more, so that the array is never
 * indexed by a variable and stays in registers. */
#define ROW_SUM(sum, i, cols, tmp, term)                                                                     \
    do {                                                                                                     \
        float part_[VEC], rest_ = 0;                                                                         \
        int base_ = 0;                                                                                       \
        for (int v_ = 0; v_ < VEC; v_++) part_[v_] = 0;                                                      \
        for (; base_ + WG_SIZE * VEC <= (cols); base_ += WG_SIZE * VEC)                                      \
            for (int v_ = 0; v_ < VEC; v_++) {                                                               \
                int i = base_ + v_ * WG_SIZE + LID;                                                          \
                part_[v_] += (term);                                                                         \
            }                                                                                                \
        for (int i = base_ + LID; i < (cols); i += WG_SIZE) rest_ += (term);                                 \
        (sum) = group_sum(vec_sum(part_) + rest_, tmp);                                                      \
    } while (0)

/* Second step of sums over rows: out[cols] = (+=) sum over chunks of partial[chunks, cols], VEC columns per
 * lane. */
#define COLUMN_SUM_KERNEL                                                                                    \
    KERNEL WG(WG_SIZE) void column_sum(BUFFER(const float, partial), TENSOR_OUT_AS(float, out), int cols,    \
                                       int chunks, int add)                                                  \
    {                                                                                                        \
        BEGIN(partial);                                                                                      \
        BEGIN(out);                                                                                          \
        int from = GROUP(0) * WG_SIZE * VEC, to = from + WG_SIZE * VEC < cols ? from + WG_SIZE * VEC : cols; \
        for (int i = from + LID; i < to; i += WG_SIZE) {                                                     \
            float s = 0;                                                                                     \
            for (int c = 0; c < chunks; c++) s += partial[(IDX)c * cols + i];                                \
            put_f(out, i, s, add);                                                                           \
        }                                                                                                    \
    }

#endif
