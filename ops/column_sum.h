/* Gradients of per-column weights are sums over rows. They are made in two fixed steps, so that they do not
 * depend on the number of cores: a backward kernel walks chunks of rows, one group per chunk, and leaves a
 * partial sum of each in scratch[chunks, cols]; column_sum (kernels/rows.h) adds those. */
#ifndef IVL_OPS_COLUMN_SUM_H
#define IVL_OPS_COLUMN_SUM_H

#include "ops/op.h"

/* Rows one group walks, and the number of groups, when sums over rows are wanted (sums) or not. */
typedef struct ivl_chunks {
    int n, per;
} ivl_chunks;
ivl_chunks ivl_row_chunks(const ivl_caps *c, int64_t rows, bool sums);

/* Output i of a gradient op: the sums S[cols] of a weight of storage type t. */
ivl_status ivl_out_column_sum(const ivl_node *n, int i, ivl_dtype t, int64_t cols);

/* out[cols] = (+=) sum over chunks of the floats at scratch + off (elements); k is the kernel column_sum. */
ivl_status ivl_column_sum(ivl_stream *s, const ivl_prep *p, ivl_kernel *k, ivl_buffer scratch, int64_t off,
                          int chunks, const ivl_tensor *out, bool add);

#endif
