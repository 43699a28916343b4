/* Where a NaN comes from: a plan run node by node. */
#ifndef IVL_TRAIN_TRACE_H
#define IVL_TRAIN_TRACE_H

#include <ivl/ops.h>

/* Runs the plan on the record it already holds, reading every output; stops at the first one that is not
 * finite, or before the first optimiser op, so parameters stay as they are. text names it: node, op, output,
 * the inputs by name. */
ivl_status ivl_trace_nan(ivl_plan *p, ivl_stream *s, bool *found_p, char *text, size_t n);

#endif
