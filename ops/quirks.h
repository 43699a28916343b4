/* What a device gets wrong: implementations of ops that `ivl selftest` saw fail there. They are kept in a text file per
 * device and driver in the cache folder, and the planner never chooses them on that device. A line is
 *     IMPL TYPE # what happened
 * where TYPE is the storage type of the node; lines that begin with # are comments. */
#ifndef IVL_OPS_QUIRKS_H
#define IVL_OPS_QUIRKS_H

#include <ivl/ops.h>

typedef struct ivl_quirks { char *text; } ivl_quirks;

/* The file of this device; malloc'd, NULL: no cache folder. */
char *ivl_quirks_path(const ivl_caps *c);
/* Without a file, or without the means to read it, nothing is wrong. */
void  ivl_quirks_load(const ivl_caps *c, ivl_quirks *q_p);
void  ivl_quirks_free(ivl_quirks *q); /* accepts a zeroed one */
bool  ivl_quirks_has(const ivl_quirks *q, const char *impl, const ivl_node *n);
/* The storage type of a node, as its lines name it: that of its first tensor. */
const char *ivl_quirks_type(const ivl_node *n);

#endif
