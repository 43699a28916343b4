/* A device's measured roofs: what no kernel on it exceeds. */
#ifndef IVL_OPS_ROOF_H
#define IVL_OPS_ROOF_H

#include <ivl/ops.h>

/* Multiply-adds in f32 with every core busy, counted as two operations each; the best of ten launches, half a second
 * in all. 0 on a device without kernels (host). */
ivl_status ivl_roof_gflops(ivl_device *dev, double *gflops_p);

/* Bytes a second that all cores together read from, or copy within, `bytes` of memory, again and again (copies count
 * what is read and what is written). Where bytes fit a cache this is the cache's roof; caches of CPUs are private to a
 * core as a rule, and each core has its own part of the bytes. 0 on a device without kernels. */
ivl_status ivl_roof_read(ivl_device *dev, size_t bytes, double *rate_p);
ivl_status ivl_roof_copy(ivl_device *dev, size_t bytes, double *rate_p);

#endif
