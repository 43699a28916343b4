/* Element-wise kernels over tensors with pitches: a group owns a rectangle of rows and columns. Its lanes own
 * neighbouring columns; a group of one (CPUs) runs along a row, which compilers vectorise. The host makes one
 * long row of tensors without gaps (ops/flat.h). */
#ifndef IVL_KERNELS_FLAT_H
#define IVL_KERNELS_FLAT_H

#define SPAN IDX rows, IDX cols, IDX row_step, IDX col_step
#define SPAN_END(at, step, n) ((at) + (step) < (n) ? (at) + (step) : (n))
#define EACH_ROW(r)                                                                                          \
    for (IDX r = GROUP(0) * row_step, r##_end = SPAN_END(r, row_step, rows); r < r##_end; r++)
#define EACH_COL(c)                                                                                          \
    for (IDX c = GROUP(1) * col_step + LID, c##_end = SPAN_END(GROUP(1) * col_step, col_step, cols);         \
         c < c##_end; c += WG_SIZE)
/* Row r of x, with the type of x. */
#define ROW(x, r) (x + (r) * x##_pitch)

#endif
