/* A device's measured roof: what no kernel on it exceeds. */
#ifndef IVL_OPS_ROOF_H
#define IVL_OPS_ROOF_H

#include <ivl/ops.h>

/* Multiply-adds in f32 with every core busy, counted as two operations each; the best of a few launches, a fifth of a
 * second in all. 0 on a device without kernels (host). */
ivl_status ivl_roof_gflops(ivl_device *dev, double *gflops_p);

#endif
