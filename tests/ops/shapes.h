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

/* Maps that change their size; columns and their gap. */
typedef struct ivl_resize_shape { int64_t b, c, gap; ivl_resize2d_attr a; ivl_case_size size; } ivl_resize_shape;

/* Cases of `op` and its gradient; add: to what is there. */
static inline void ivl_case_add_resize(ivl_case_list *list, int op, int op_bwd, const ivl_resize_shape *s, bool add)
{
    const ivl_resize2d_attr *a = &s->a;
    int64_t from = (int64_t)a->h * a->w, to = (int64_t)a->to_h * a->to_w;
    ivl_case f = {
        .op = op,
        .size = s->size,
        .n_in = 1,
        .n_out = 1,
        .attr = a,
        .attr_bytes = sizeof *a,
        .in = { { IVL_ROLE_T, IVL_DIMS(s->b, from, s->c), .gap = s->gap } },
        .out = { { IVL_ROLE_INFER } },
    };
    snprintf(f.name, sizeof f.name, "%lldx%dx%dx%lld to %dx%d", (long long)s->b, a->h, a->w, (long long)s->c, a->to_h,
             a->to_w);
    ivl_case_add(list, &f);
    f.op = op_bwd, f.add_mask = add;
    f.in[0] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->b, to, s->c), .gap = 0 };
    f.out[0] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->b, from, s->c), .gap = s->gap };
    ivl_case_add(list, &f);
}

#endif
