/* Launching element-wise kernels (kernels/flat.h). */
#ifndef IVL_OPS_FLAT_H
#define IVL_OPS_FLAT_H

#include "ops/op.h"

/* How rows and columns are dealt out to groups. */
typedef struct ivl_span { int64_t rows, cols, row_step, col_step, gx, gy; } ivl_span;

/* For n tensors of equal shape (NULL ones do not count): without gaps all are one row. per_column: columns
 * have a meaning (a weight per column, say), so rows stay rows. param is that of ivl_flat_space. */
ivl_span   ivl_span_of(const ivl_tensor *const *t, int n, bool per_column, const int *param);
void       ivl_arg_span(ivl_args *a, const ivl_span *s);
ivl_status ivl_enqueue_span(ivl_stream *s, ivl_kernel *k, const ivl_span *span, const int *param,
                            ivl_args *a);

#endif
