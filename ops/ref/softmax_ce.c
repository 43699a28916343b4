#include "ops/ref/ref.h"

static bool counts(const ivl_node *n, int64_t r) { return !n->x[1] || ref_int(n->x[1], r) >= 0; }

static int64_t count(const ivl_node *n)
{
    int64_t c = 0;
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++) c += counts(n, r);
    return c;
}

/* z = exp(s) x and t of row r. */
static void row(const ivl_node *n, int64_t r, REAL *z, REAL *t)
{
    int64_t cols = ivl_cols(n->x[0]);
    REAL s = n->x[3] ? EXP_REAL(ref_at(n->x[3], 0)) : 1;
    ref_row(n->x[0], r, z);
    for (int64_t i = 0; i < cols; i++) {
        z[i] *= s;
        t[i] = n->x[2] ? ref_get(n->x[2], r, i) : (REAL)(i == ref_int(n->x[1], r));
    }
}

ivl_status REF(softmax_ce)(const ivl_node *n)
{
    int64_t cols = ivl_cols(n->x[0]), c = count(n);
    REAL *z = ref_alloc(2 * cols), *t = z + cols, loss = 0, hits = 0;
    IVL_CHECK(z, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++) {
        row(n, r, z, t);
        REAL max = z[0], sum = 0;
        bool hit = false;
        for (int64_t i = 1; i < cols; i++) max = z[i] > max ? z[i] : max;
        for (int64_t i = 0; i < cols; i++) sum += EXP_REAL(z[i] - max);
        REAL l = max + LOG_REAL(sum);
        for (int64_t i = 0; i < cols && counts(n, r); i++) {
            loss += t[i] * (l - z[i]);
            hit |= z[i] >= max && t[i] > 0;
        }
        hits += hit;
        if (n->y[1]) ref_put(n->y[1], 0, r, l, false);
    }
    if (n->y[0]) ref_put(n->y[0], 0, 0, c ? loss / (REAL)c : 0, false);
    if (n->y[2]) ref_put(n->y[2], 0, 0, c ? hits / (REAL)c : 0, false);
    free(z);
    return IVL_OK;
}

ivl_status REF(softmax_ce_bwd)(const ivl_node *n)
{
    int64_t cols = ivl_cols(n->x[0]), c = count(n);
    REAL *z = ref_alloc(2 * cols), *t = z + cols, ds = 0, weight = c ? ref_at(n->x[5], 0) / (REAL)c : 0;
    REAL s = n->x[3] ? EXP_REAL(ref_at(n->x[3], 0)) : 1;
    IVL_CHECK(z, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < ivl_rows(n->x[0]); r++) {
        REAL mass = 0, l = ref_at(n->x[4], r);
        row(n, r, z, t);
        for (int64_t i = 0; i < cols; i++) mass += t[i];
        for (int64_t i = 0; i < cols; i++) {
            REAL dz = counts(n, r) ? weight * (EXP_REAL(z[i] - l) * mass - t[i]) : 0;
            ds += dz * z[i];
            if (n->y[0]) ref_put(n->y[0], r, i, s * dz, ivl_adds(n, 0));
        }
    }
    if (n->y[1]) ref_put(n->y[1], 0, 0, ds, ivl_adds(n, 1));
    free(z);
    return IVL_OK;
}
