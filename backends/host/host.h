#ifndef IVL_BACKENDS_HOST_H
#define IVL_BACKENDS_HOST_H

#include <ivl/ops.h>

/* One row for every op (op = IVL_ANY_OP): runs the op's reference over host memory. */
enum { IVL_ANY_OP = -1 };
extern const ivl_impl ivl_host_impls[];

#endif
