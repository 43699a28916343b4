/* Where each temporary lies: items with a size and a lifetime into slabs, largest first at the lowest offset
 * that no item alive at the same time takes. */
#ifndef IVL_OPS_MEMPLAN_H
#define IVL_OPS_MEMPLAN_H

#include <ivl/backend.h>

typedef struct ivl_mem_item {
    size_t bytes;       /* in; 0: takes no memory */
    int    first, last; /* in: lifetime in steps, both included */
    int    slab;        /* out */
    size_t off;         /* out */
} ivl_mem_item;

enum { IVL_MAX_SLABS = 64 };
typedef struct ivl_mem_slabs { int n; size_t bytes[IVL_MAX_SLABS]; } ivl_mem_slabs;

/* Places the items at multiples of align, `gap` bytes apart, in slabs of at most `limit` bytes. */
ivl_status ivl_memplan(ivl_mem_item *item, int n, size_t align, size_t gap, size_t limit, ivl_mem_slabs *slabs_p);

#endif
