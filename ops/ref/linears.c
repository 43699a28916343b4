#include "ops/linears.h"
#include "ops/ref/ref.h"

#include <tgmath.h>

/* h: what the weights multiply in row r. */
static void normed(const ivl_node *n, int64_t r, REAL *h)
{
    const ivl_linears_attr *a = n->attr;
    int64_t k = ivl_cols(n->x[0]);
    ref_row(n->x[0], r, h);
    if (!a->norm) return;
    REAL sum = 0;
    for (int64_t i = 0; i < k; i++) sum += h[i] * h[i];
    REAL rstd = 1 / (REAL)sqrt(sum / (REAL)k + (REAL)a->eps);
    for (int64_t i = 0; i < k; i++) h[i] = ref_round(n->x[0]->dtype, h[i] * rstd * ref_at(n->x[1], i));
}

/* h times row c of weight i, with its bias. */
static REAL product(const ivl_node *n, int i, int64_t c, const REAL *h, REAL *row)
{
    const ivl_tensor *w = ivl_linears_weight(n, i), *b = ivl_linears_bias(n, i);
    REAL sum = 0;
    ref_row(w, c, row);
    for (int64_t p = 0; p < ivl_cols(w); p++) sum += h[p] * row[p];
    return b ? sum + ref_at(b, c) : sum;
}

ivl_status REF(linears)(const ivl_node *n)
{
    const ivl_linears_attr *a = n->attr;
    int64_t k = ivl_cols(n->x[0]);
    REAL *h = ref_alloc(2 * k), *row = h + k;
    IVL_CHECK(h, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++) {
        normed(n, r, h);
        for (int i = 0; i < (a->gated ? 1 : a->n); i++)
            for (int64_t c = 0; c < ivl_linears_weight(n, i)->dim[0]; c++) {
                REAL y = product(n, i, c, h, row);
                if (a->gated) {
                    REAL up = ref_round(n->x[0]->dtype, product(n, 1, c, h, row));
                    y = ref_round(n->x[0]->dtype, y);
                    y = y / (1 + exp(-y)) * up;
                }
                ref_put(n->y[i], r, c, y, false);
            }
    }
    free(h);
    return IVL_OK;
}
