#include "ops/ref/ref.h"

typedef struct window { int64_t r0, r1, c0, c1; } window;

/* Cells of h x w under token t of the output, batch left out. */
static window window_of(const ivl_resize2d_attr *a, int64_t t)
{
    int64_t r = t / a->to_w, c = t % a->to_w;
    return (window){ r * a->h / a->to_h, ((r + 1) * a->h + a->to_h - 1) / a->to_h, c * a->w / a->to_w,
                     ((c + 1) * a->w + a->to_w - 1) / a->to_w };
}

ivl_status REF(avg_pool)(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    int64_t from = (int64_t)a->h * a->w, to = (int64_t)a->to_h * a->to_w;
    for (int64_t t = 0; t < ivl_rows(n->y[0]); t++) {
        window k = window_of(a, t % to);
        for (int64_t i = 0; i < ivl_cols(n->y[0]); i++) {
            REAL sum = 0;
            for (int64_t r = k.r0; r < k.r1; r++)
                for (int64_t c = k.c0; c < k.c1; c++) sum += ref_get(n->x[0], t / to * from + r * a->w + c, i);
            ref_put(n->y[0], t, i, sum / (REAL)((k.r1 - k.r0) * (k.c1 - k.c0)), false);
        }
    }
    return IVL_OK;
}

ivl_status REF(avg_pool_bwd)(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    const ivl_tensor *dy = n->x[0], *dx = n->y[0];
    int64_t from = (int64_t)a->h * a->w, to = (int64_t)a->to_h * a->to_w, rows = ivl_rows(dx);
    REAL *sum = ref_alloc(rows);
    IVL_CHECK(sum, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < ivl_cols(dx); i++) {
        for (int64_t t = 0; t < rows; t++) sum[t] = 0;
        for (int64_t t = 0; t < ivl_rows(dy); t++) {
            window k = window_of(a, t % to);
            for (int64_t r = k.r0; r < k.r1; r++)
                for (int64_t c = k.c0; c < k.c1; c++)
                    sum[t / to * from + r * a->w + c] += ref_get(dy, t, i) / (REAL)((k.r1 - k.r0) * (k.c1 - k.c0));
        }
        for (int64_t t = 0; t < rows; t++) ref_put(dx, t, i, sum[t], ivl_adds(n, 0));
    }
    free(sum);
    return IVL_OK;
}
