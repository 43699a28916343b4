#ifndef IVL_BACKENDS_HOST_H
#define IVL_BACKENDS_HOST_H

#include <ivl/ops.h>

/* One row for every op (IVL_ANY_OP): runs the op's reference over host memory. */
extern const ivl_impl ivl_host_impls[];

#endif
