#include "ops/attention.h"
#include "ops/ref/ref.h"

#define DEVICE static inline
#include "ops/kernels/mask.h"

/* v[rows,dim] = one head of t: rows from `row`, columns from `col`. */
static void load(const ivl_tensor *t, int64_t row, int64_t rows, int64_t col, int64_t dim, REAL *v)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < dim; d++) v[i * dim + d] = ref_get(t, row + i, col + d);
}

static void store(const ivl_tensor *t, int64_t row, int64_t rows, int64_t col, int64_t dim, const REAL *v, bool add)
{
    for (int64_t i = 0; t && i < rows; i++)
        for (int64_t d = 0; d < dim; d++) ref_put(t, row + i, col + d, v[i * dim + d], add);
}

static REAL dot(const REAL *a, const REAL *b, int64_t n)
{
    REAL s = 0;
    for (int64_t i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

static mask_keys keys_of(const ivl_node *n, const ivl_attention_dims *d, int64_t b, int64_t i)
{
    int len = n->x[3] ? ref_int(n->x[3], b) : d->m;
    return mask_row(mask_rule(d->rule, (int)b, d->kv_batch), d->queries, (int)i, d->m, len);
}

/* o[dim] of one query; s is room for m scores. Returns the log-sum-exp. */
static REAL attend(const ivl_attention_dims *d, const REAL *q, const REAL *k, const REAL *v, mask_keys see, REAL *s,
                   REAL *o)
{
    REAL max = -(REAL)INFINITY, sum = 0;
    for (int j = 0; j < d->m; j++) {
        if (!mask_sees(see, j)) continue;
        s[j] = dot(q, k + (int64_t)j * d->dim, d->dim) * (REAL)d->scale;
        if (s[j] > max) max = s[j];
    }
    for (int c = 0; c < d->dim; c++) o[c] = 0;
    for (int j = 0; j < d->m; j++) {
        if (!mask_sees(see, j)) continue;
        REAL p = EXP_REAL(s[j] - max);
        sum += p;
        for (int c = 0; c < d->dim; c++) o[c] += p * v[(int64_t)j * d->dim + c];
    }
    if (sum == 0) return -(REAL)INFINITY;
    for (int c = 0; c < d->dim; c++) o[c] /= sum;
    return max + LOG_REAL(sum);
}

ivl_status REF(attention)(const ivl_node *n)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    int64_t kv = (int64_t)d.m * d.dim;
    REAL *k = ref_alloc(2 * kv + d.m + 2 * d.dim), *v = k + kv, *s = v + kv, *q = s + d.m, *o = q + d.dim;
    IVL_CHECK(k, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < d.batch; b++)
        for (int64_t h = 0; h < d.heads; h++) {
            int64_t row = b % d.kv_batch * d.m, col = h / d.group * d.dim;
            load(n->x[1], row, d.m, col, d.dim, k);
            load(n->x[2], row, d.m, col, d.dim, v);
            for (int64_t i = 0; i < d.n; i++) {
                load(n->x[0], b * d.n + i, 1, h * d.dim, d.dim, q);
                REAL lse = attend(&d, q, k, v, keys_of(n, &d, b, i), s, o);
                store(n->y[0], b * d.n + i, 1, h * d.dim, d.dim, o, ivl_adds(n, 0));
                if (n->y[1]) ref_put(n->y[1], b * d.heads + h, i, lse, false);
            }
        }
    free(k);
    return IVL_OK;
}

/* One head's arrays in backward. */
typedef struct head { REAL *k, *v, *dk, *dv, *q, *o, *d_o, *dq; } head;

/* Gradients of query i of batch b and head h; dk and dv collect. */
static void bwd_query(const ivl_node *n, const ivl_attention_dims *d, const head *w, int64_t b, int64_t h, int64_t i)
{
    int64_t row = b * d->n + i, col = h * d->dim;
    REAL lse = ref_at(n->x[5], (b * d->heads + h) * d->n + i);
    mask_keys see = keys_of(n, d, b, i);
    load(n->x[0], row, 1, col, d->dim, w->q);
    load(n->x[4], row, 1, col, d->dim, w->o);
    load(n->x[6], row, 1, col, d->dim, w->d_o);
    REAL delta = dot(w->o, w->d_o, d->dim);
    for (int c = 0; c < d->dim; c++) w->dq[c] = 0;
    for (int j = 0; j < d->m; j++) {
        if (!mask_sees(see, j) || lse == -(REAL)INFINITY) continue;
        const REAL *k = w->k + (int64_t)j * d->dim, *v = w->v + (int64_t)j * d->dim;
        REAL *dk = w->dk + (int64_t)j * d->dim, *dv = w->dv + (int64_t)j * d->dim;
        REAL p = EXP_REAL(dot(w->q, k, d->dim) * (REAL)d->scale - lse);
        REAL ds = p * (dot(w->d_o, v, d->dim) - delta) * (REAL)d->scale;
        for (int c = 0; c < d->dim; c++) {
            dv[c] += p * w->d_o[c];
            dk[c] += ds * w->q[c];
            w->dq[c] += ds * k[c];
        }
    }
    store(n->y[0], row, 1, col, d->dim, w->dq, ivl_adds(n, 0));
}

ivl_status REF(attention_bwd)(const ivl_node *n)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    int64_t kv = (int64_t)d.m * d.dim;
    head w = { .k = ref_alloc(4 * kv + 4 * d.dim) };
    IVL_CHECK(w.k, IVL_ENOMEM, "out of memory");
    w.v = w.k + kv, w.dk = w.v + kv, w.dv = w.dk + kv;
    w.q = w.dv + kv, w.o = w.q + d.dim, w.d_o = w.o + d.dim, w.dq = w.d_o + d.dim;
    for (int64_t kb = 0; kb < d.kv_batch; kb++)
        for (int64_t kh = 0; kh < d.kv_heads; kh++) {
            load(n->x[1], kb * d.m, d.m, kh * d.dim, d.dim, w.k);
            load(n->x[2], kb * d.m, d.m, kh * d.dim, d.dim, w.v);
            for (int64_t i = 0; i < 2 * kv; i++) w.dk[i] = 0;
            for (int64_t b = kb; b < d.batch; b += d.kv_batch)
                for (int64_t h = kh * d.group; h < (kh + 1) * d.group; h++)
                    for (int64_t i = 0; i < d.n; i++) bwd_query(n, &d, &w, b, h, i);
            store(n->y[1], kb * d.m, d.m, kh * d.dim, d.dim, w.dk, ivl_adds(n, 1));
            store(n->y[2], kb * d.m, d.m, kh * d.dim, d.dim, w.dv, ivl_adds(n, 2));
        }
    free(w.k);
    return IVL_OK;
}
