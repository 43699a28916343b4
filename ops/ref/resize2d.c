#include "ops/ref/ref.h"

/* Where cell i of n_to looks in a side of n: cells k[0] and k[1], with these weights. */
static void look(int64_t i, int64_t n, int64_t n_to, int64_t k[2], REAL f[2])
{
    int64_t num = (2 * i + 1) * n - n_to;
    if (num < 0) num = 0;
    k[0] = num / (2 * n_to);
    k[1] = k[0] + 1 < n ? k[0] + 1 : n - 1;
    f[1] = (REAL)(num % (2 * n_to)) / (REAL)(2 * n_to);
    f[0] = 1 - f[1];
}

ivl_status REF(resize2d)(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    int64_t from = (int64_t)a->h * a->w, to = (int64_t)a->to_h * a->to_w;
    for (int64_t t = 0; t < ivl_rows(n->y[0]); t++) {
        int64_t r[2], c[2], base = t / to * from;
        REAL fr[2], fc[2];
        look(t % to / a->to_w, a->h, a->to_h, r, fr);
        look(t % to % a->to_w, a->w, a->to_w, c, fc);
        for (int64_t i = 0; i < ivl_cols(n->y[0]); i++) {
            REAL v = 0;
            for (int q = 0; q < 4; q++)
                v += fr[q >> 1] * fc[q & 1] * ref_get(n->x[0], base + r[q >> 1] * a->w + c[q & 1], i);
            ref_put(n->y[0], t, i, v, false);
        }
    }
    return IVL_OK;
}

ivl_status REF(resize2d_bwd)(const ivl_node *n)
{
    const ivl_resize2d_attr *a = n->attr;
    const ivl_tensor *dy = n->x[0], *dx = n->y[0];
    int64_t from = (int64_t)a->h * a->w, to = (int64_t)a->to_h * a->to_w, rows = ivl_rows(dx);
    REAL *sum = ref_alloc(rows);
    IVL_CHECK(sum, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < ivl_cols(dx); i++) {
        for (int64_t t = 0; t < rows; t++) sum[t] = 0;
        for (int64_t t = 0; t < ivl_rows(dy); t++) {
            int64_t r[2], c[2], base = t / to * from;
            REAL fr[2], fc[2];
            look(t % to / a->to_w, a->h, a->to_h, r, fr);
            look(t % to % a->to_w, a->w, a->to_w, c, fc);
            for (int q = 0; q < 4; q++)
                sum[base + r[q >> 1] * a->w + c[q & 1]] += fr[q >> 1] * fc[q & 1] * ref_get(dy, t, i);
        }
        for (int64_t t = 0; t < rows; t++) ref_put(dx, t, i, sum[t], ivl_adds(n, 0));
    }
    free(sum);
    return IVL_OK;
}
