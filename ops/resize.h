/* What resize2d and avg_pool share: shapes and launches of an op from a map of h x w to one of to_h x to_w. */
#ifndef IVL_OPS_RESIZE_H
#define IVL_OPS_RESIZE_H

#include "ops/op.h"

ivl_status ivl_resize_infer(const ivl_node *n);
ivl_status ivl_resize_infer_bwd(const ivl_node *n);
/* So many groups per sample; the gradient has one per cell. */
ivl_status ivl_resize_enqueue(ivl_stream *s, const ivl_node *n, const ivl_prep *p, int64_t groups);
ivl_status ivl_resize_enqueue_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p);

#endif
