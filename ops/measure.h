/* How long a node takes on a device, by implementation. */
#ifndef IVL_OPS_MEASURE_H
#define IVL_OPS_MEASURE_H

#include <ivl/ops.h>

/* Implementation i of the node that fits (and is not in the device's quirk file), the one that plans choose first;
 * NULL behind the last. */
const ivl_impl *ivl_node_impl(const ivl_device *dev, const ivl_node *n, int i);

/* Seconds of one run: medians and extremes over `tries` samples. A sample is many runs, so that starting and waiting
 * do not count; caches are as warm as the node's size lets them be. */
typedef struct ivl_timing { double median, least, most; int tries; } ivl_timing;

/* Runs n, whose tensors have memory, for about `budget` seconds (at least three samples). What it computes is
 * computed: gradients add up, weights are updated. param NULL: what a plan would take. */
ivl_status ivl_measure(ivl_stream *s, const ivl_node *n, const ivl_impl *impl, const int *param, double budget,
                       ivl_timing *t_p);

/* The same of any work: run does it `runs` times, and waits. */
ivl_status ivl_measure_runs(ivl_status (*run)(void *ctx, int runs), void *ctx, double budget, ivl_timing *t_p);

/* Bytes that n must read and write: every element of its tensors once, what is updated in place or added to twice. */
double ivl_node_bytes(const ivl_node *n);
double ivl_node_flops(const ivl_node *n);

#endif
