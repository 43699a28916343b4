/* Inside of a graph: values and nodes. Shared by recording, backward and planning. */
#ifndef IVL_OPS_GRAPH_H
#define IVL_OPS_GRAPH_H

#include <ivl/ops.h>

typedef enum ivl_kind { IVL_TEMP, IVL_INPUT, IVL_EXTERN, IVL_VIEW } ivl_kind;

/* How much of a value's gradient has been written so far. */
typedef enum ivl_written { IVL_NOTHING, IVL_PARTS, IVL_ALL } ivl_written;

typedef struct ivl_value {
    ivl_tensor  t;       /* of a view: off is relative to its root */
    ivl_kind    kind;
    int32_t     root;    /* the value whose memory this is; itself unless a view */
    int32_t     def;     /* node that writes it; -1: input, extern */
    int32_t     twin;    /* recomputed copy of this value, -1 */
    int32_t     origin;  /* the value this one is a recomputed copy of, else itself */
    bool        keep, want, needs;  /* needs: a gradient is wanted at or before this value */
    int         block;
    /* gradient, held by roots */
    int32_t     grad;    /* value, -1 */
    ivl_written written;
    int         parts;   /* of IVL_PARTS: equal slices, bit i of mask = slice i written */
    uint64_t    mask;
    char        name[64];
} ivl_value;

struct ivl_graph {
    ivl_value **value;
    ivl_node  **node;
    int         n_value, cap_value, n_node, cap_node;
    int         block, n_blocks;
    bool        in_backward, accumulate;
    int         walk;     /* node whose gradient is being recorded */
    ivl_status  status;
    char        error[512];
};

ivl_value *ivl_value_of(const ivl_graph *g, ivl_val v);
/* A new value of this kind; NULL (and a sticky error) when out of memory. */
ivl_value *ivl_value_new(ivl_graph *g, ivl_kind kind, const ivl_tensor *t, const char *name, ivl_val *v_p);
/* Appends a node whose outputs exist already (views included); runs its infer. */
ivl_status ivl_node_append(ivl_graph *g, int op, const ivl_val *in, int n_in, const ivl_val *out, int n_out,
                           const void *attr, size_t bytes, uint16_t add_mask, ivl_node **node_p);

#endif
