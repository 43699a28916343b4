/* Shapes for element-wise ops: odd sizes, widths that are no multiple of a vector, slices. */
#ifndef IVL_TESTS_OPS_SHAPES_H
#define IVL_TESTS_OPS_SHAPES_H

#include "tests/ops/cases.h"

typedef struct ivl_shape { int64_t b, n, c, gap; ivl_case_size size; } ivl_shape;
static const ivl_shape ivl_flat_shapes[] = {
    { 1, 1, 1, 0, IVL_TINY },     { 1, 3, 37, 0, IVL_TINY },     { 3, 5, 16, 32, IVL_TINY },
    { 2, 257, 37, 5, IVL_NORMAL }, { 1, 3, 6001, 0, IVL_NORMAL }, { 2, 70, 4160, 4160, IVL_NORMAL },
};
enum { IVL_FLAT_SHAPES = sizeof ivl_flat_shapes / sizeof *ivl_flat_shapes };

/* Names c after its shape; what: more to say, or "". */
static inline void ivl_case_name(ivl_case *c, const ivl_shape *s, const char *what)
{
    snprintf(c->name, sizeof c->name, "%lldx%lldx%lld gap %lld%s", (long long)s->b, (long long)s->n,
             (long long)s->c, (long long)s->gap, what);
}

#endif
