#include "ops/contrastive.h"
#include "ops/ref/ref.h"

static bool counts(const ivl_contrastive_dims *d, int r) { return !d->ignore || !ref_int(d->ignore, r); }

static int count(const ivl_contrastive_dims *d)
{
    int n = 0;
    for (int r = 0; r < d->rows; r++) n += counts(d, r);
    return n;
}

/* z[n]: logits of row r of x with all rows of y; v is room for two rows. */
static void logits(const ivl_contrastive_dims *d, const ivl_tensor *x, const ivl_tensor *y, int r, REAL *v, REAL *z)
{
    REAL s = EXP_REAL(ref_at(d->logit_scale, 0)), *w = v + d->width;
    ref_row(x, r, v);
    for (int j = 0, n = (int)ivl_rows(y); j < n; j++) {
        REAL dot = 0;
        ref_row(y, j, w);
        for (int i = 0; i < d->width; i++) dot += v[i] * w[i];
        z[j] = s * dot;
    }
}

/* Sum of the losses of all rows of x that count; lse may be NULL. */
static REAL direction(const ivl_contrastive_dims *d, const ivl_tensor *x, const ivl_tensor *y, ivl_tensor *lse, REAL *v)
{
    int n = (int)ivl_rows(y);
    REAL loss = 0, *z = v + 2 * d->width, e = (REAL)d->smoothing;
    for (int r = 0; r < d->rows; r++) {
        logits(d, x, y, r, v, z);
        REAL max = z[0], sum = 0, all = 0;
        for (int j = 1; j < n; j++) max = z[j] > max ? z[j] : max;
        for (int j = 0; j < n; j++) sum += EXP_REAL(z[j] - max), all += z[j];
        REAL l = max + LOG_REAL(sum);
        if (lse) ref_put(lse, 0, r, l, false);
        if (counts(d, r)) loss += l - (1 - e) * z[d->row0 + r] - e / (REAL)n * all;
    }
    return loss;
}

static REAL *room(const ivl_contrastive_dims *d, int64_t more)
{
    return ref_alloc(2 * (int64_t)d->width + (d->n_image > d->n_text ? d->n_image : d->n_text) + more);
}

ivl_status REF(contrastive)(const ivl_node *n)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    REAL *v = room(&d, 0);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    REAL image = direction(&d, d.image, d.all_text, n->y[1], v), text = direction(&d, d.text, d.all_image, n->y[2], v);
    int c = count(&d);
    ref_put(n->y[0], 0, 0, c ? (image + text) / (REAL)(2 * c) : 0, false);
    free(v);
    return IVL_OK;
}

/* Adds the gradients of one direction: to x's rows in dx, to y's rows in dy; returns that of logit_scale. */
static REAL direction_bwd(const ivl_contrastive_dims *d, const ivl_tensor *x, const ivl_tensor *y,
                          const ivl_tensor *lse, REAL weight, REAL *v, REAL *dx, REAL *dy)
{
    int n = (int)ivl_rows(y);
    REAL ds = 0, *z = v + 2 * d->width, *w = v + d->width, e = (REAL)d->smoothing;
    REAL s = EXP_REAL(ref_at(d->logit_scale, 0));
    for (int r = 0; r < d->rows; r++) {
        if (!counts(d, r)) continue;
        logits(d, x, y, r, v, z);
        for (int j = 0; j < n; j++) {
            REAL dz = EXP_REAL(z[j] - ref_at(lse, r)) - e / (REAL)n - (j == d->row0 + r ? 1 - e : 0);
            ds += dz * weight * z[j];
            dz *= weight * s;
            ref_row(y, j, w);
            for (int i = 0; i < d->width; i++) {
                dx[(int64_t)r * d->width + i] += dz * w[i];
                dy[(int64_t)j * d->width + i] += dz * v[i];
            }
        }
    }
    return ds;
}

/* Gradient i of the node from g (and g2, when columns were the local rows). */
static void put(const ivl_node *n, int i, const REAL *g, const REAL *g2)
{
    if (!n->y[i]) return;
    int64_t cols = ivl_cols(n->y[i]);
    for (int64_t j = 0, size = ivl_numel(n->y[i]); j < size; j++)
        ref_put(n->y[i], j / cols, j % cols, g[j] + (g2 ? g2[j] : 0), ivl_adds(n, i));
}

ivl_status REF(contrastive_bwd)(const ivl_node *n)
{
    ivl_contrastive_dims d = ivl_contrastive_dims_of(n);
    int64_t w = d.width;
    REAL *v = room(&d, w * (2 * d.rows + d.n_image + d.n_text));
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    REAL *image = v + 2 * w + (d.n_image > d.n_text ? d.n_image : d.n_text), *text = image + d.rows * w;
    REAL *all_image = text + d.rows * w, *all_text = all_image + d.n_image * w;
    int c = count(&d);
    REAL weight = c ? ref_at(n->x[8], 0) / (REAL)(2 * c) : 0;
    REAL ds = direction_bwd(&d, d.image, d.all_text, n->x[6], weight, v, image, all_text);
    ds += direction_bwd(&d, d.text, d.all_image, n->x[7], weight, v, text, all_image);
    put(n, 0, image, n->x[2] ? NULL : all_image);
    put(n, 1, text, n->x[3] ? NULL : all_text);
    put(n, 2, all_image, NULL);
    put(n, 3, all_text, NULL);
    if (n->y[4]) ref_put(n->y[4], 0, 0, ds, ivl_adds(n, 4));
    free(v);
    return IVL_OK;
}
