/* Sizes of an attention node, for its reference and its implementations. */
#ifndef IVL_OPS_ATTENTION_H
#define IVL_OPS_ATTENTION_H

#include "ops/op.h"

/* q[batch,n,heads*dim] looks at k, v[kv_batch,m,kv_heads*dim]. Query batch b reads key batch b % kv_batch and head h
 * reads key head h / group, group = heads / kv_heads. */
typedef struct ivl_attention_dims {
    int    batch, kv_batch, n, m, heads, kv_heads, group, dim, rule, queries;
    double scale;
} ivl_attention_dims;

ivl_attention_dims ivl_attention_dims_of(const ivl_node *n);

/* ops/attention_tiled.c */
enum { IVL_ATTENTION_IMPLS = 1, IVL_ATTENTION_BWD_IMPLS = 2 };
extern const ivl_impl ivl_attention_impls[IVL_ATTENTION_IMPLS], ivl_attention_bwd_impls[IVL_ATTENTION_BWD_IMPLS];

#endif
