#include "ops/resize.h"

enum { MAX_SIDE = 16384 }; /* so that whole numbers stay within 32 bits */

static ivl_status check(const ivl_node *n, const ivl_tensor *x, int64_t tokens)
{
    const ivl_resize2d_attr *a = n->attr;
    char s[96];
    bool sides = a->h > 0 && a->w > 0 && a->to_h > 0 && a->to_w > 0 && a->h <= MAX_SIDE && a->w <= MAX_SIDE &&
                 a->to_h <= MAX_SIDE && a->to_w <= MAX_SIDE;
    IVL_CHECK(sides && ivl_is_float(x->dtype) && ivl_rows(x) % tokens == 0, IVL_ESHAPE,
              "%s: %s does not go from %d x %d to %d x %d (sides of at most %d)", ivl_op_get(n->op)->name,
              ivl_tensor_text(x, s, sizeof s), a->h, a->w, a->to_h, a->to_w, MAX_SIDE);
    return IVL_OK;
}

ivl_status ivl_resize_infer(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "x[B,h*w,C]", 3));
    const ivl_tensor *x = n->x[0];
    IVL_TRY(check(n, x, x->dim[1] == (int64_t)a->h * a->w ? x->dim[1] : INT64_MAX));
    return ivl_out(n, 0, x->dtype, 3, (int64_t[]){ x->dim[0], (int64_t)a->to_h * a->to_w, x->dim[2] });
}

ivl_status ivl_resize_infer_bwd(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    IVL_TRY(ivl_need(n, 0, "dy", -1));
    const ivl_tensor *dy = n->x[0];
    int64_t tokens = (int64_t)a->to_h * a->to_w;
    IVL_TRY(check(n, dy, tokens > 0 ? tokens : INT64_MAX));
    return ivl_out(n, 0, dy->dtype, 3, (int64_t[]){ ivl_rows(dy) / tokens, (int64_t)a->h * a->w, ivl_cols(dy) });
}

static void add_args(const ivl_node *n, ivl_args *a)
{
    const ivl_resize2d_attr *at = n->attr;
    ivl_arg_tensor(a, n->x[0]), ivl_arg_tensor(a, n->y[0]);
    ivl_arg_int(a, at->h), ivl_arg_int(a, at->w), ivl_arg_int(a, at->to_h), ivl_arg_int(a, at->to_w);
    ivl_arg_int(a, (int)ivl_cols(n->y[0]));
}

ivl_status ivl_resize_enqueue(ivl_stream *s, const ivl_node *n, const ivl_prep *p, int64_t groups)
{
    ivl_args a = { 0 };
    add_args(n, &a);
    return ivl_enqueue(s, p->k[0], groups, n->x[0]->dim[0], 1, p->p[0], &a);
}

ivl_status ivl_resize_enqueue_bwd(ivl_stream *s, const ivl_node *n, const ivl_prep *p)
{
    const ivl_resize2d_attr *at = n->attr;
    int64_t cells = (int64_t)at->h * at->w;
    ivl_args a = { 0 };
    add_args(n, &a);
    ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], cells, ivl_rows(n->y[0]) / cells, 1, p->p[0], &a);
}
