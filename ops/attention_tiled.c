/* Portable implementations of attention: tiles in registers and private memory on CPUs, in local memory elsewhere
 * (kernels/attention.cl). Backward has two: `tiled` walks twice (queries, then keys), so it has many groups; `fused`
 * walks once per key head and needs enough of them. Both are deterministic. */
#include "ops/attention.h"

enum { WG, ROWS, COLS };       /* parameters: items of a group, rows and columns of a tile */
enum { MICRO = 6, MAX_DIM = 1024, TILE_FLOATS = 1024 };

static bool is_gpu(const ivl_caps *c) { return c->features & IVL_CAP_GPU; }

static void defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    int dim = ivl_attention_dims_of(n).dim, rows = 16;
    while (rows > 1 && rows * dim > TILE_FLOATS) rows /= 2;
    param[WG] = is_gpu(c) ? 64 : 1;
    param[ROWS] = is_gpu(c) ? rows : 60;
    param[COLS] = is_gpu(c) ? rows : 64;
}

static bool valid(const ivl_caps *c, const ivl_node *n, const int *param)
{
    int64_t dim = ivl_attention_dims_of(n).dim, rows = param[ROWS], cols = param[COLS];
    if (param[WG] == 1) return rows % MICRO == 0 && cols % 16 == 0;
    int64_t floats = 4 * (rows + cols) * dim + 2 * rows * cols + 8 * (rows + cols);
    return param[WG] <= c->max_group && 4 * floats <= (int64_t)(c->local_bytes < 49152 ? c->local_bytes : 49152);
}

static const ivl_tune_space space = {
    .n = 3, .name = { "WG_SIZE", "BM", "BN" },
    .values = { { 1, 32, 64, 128 }, { 1, 2, 4, 8, 16, 30, 60, 120 }, { 1, 2, 4, 8, 16, 32, 64, 96 } },
    .defaults = defaults, .valid = valid,
};

static bool fits(const ivl_caps *c, const ivl_node *n)
{
    return ivl_fits_kernels(c, n) && ivl_attention_dims_of(n).dim <= MAX_DIM;
}

static ivl_status build(ivl_device *d, const ivl_node *n, const int *param, int i, const char *entry, ivl_prep **p_p)
{
    int lanes = ivl_device_caps(d)->vec_f32;
    lanes = lanes >= 16 ? 16 : lanes >= 8 ? 8 : 4;
    return ivl_prep_kernel(d, p_p, i, param, "attention", entry,
                           "%s -DWG_SIZE=%d -DBM=%d -DBN=%d -DHEAD_DIM=%d -DVW=%d", ivl_t_define(n->x[0]->dtype),
                           param[WG], param[ROWS], param[COLS], ivl_attention_dims_of(n).dim, lanes);
}

/* Rows that one group takes: as even as they come, and enough groups for every core. */
static int span(const ivl_stream *s, const ivl_prep *p, int rows, int heads)
{
    int micro = p->p[WG] == 1 ? MICRO : p->p[ROWS], want = 2 * ivl_device_caps(s->dev)->units;
    int groups = (rows + p->p[ROWS] - 1) / p->p[ROWS], most = (rows + micro - 1) / micro;
    if (groups * heads < want) groups = (want + heads - 1) / heads;
    if (groups > most) groups = most;
    if (groups < 1) groups = 1;
    return ((rows + groups - 1) / groups + micro - 1) / micro * micro;
}

static void arg_sizes(ivl_args *a, const ivl_attention_dims *d)
{
    int v[] = { d->n, d->m, d->heads, d->group, d->kv_batch, d->rule, d->queries };
    for (int i = 0; i < 7; i++) ivl_arg_int(a, v[i]);
}

/* --- forward -------------------------------------------------------------------------------------- */

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return build(d, n, param, 0, "attention_fwd", p_p);
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_attention_dims d = ivl_attention_dims_of(n);
    int rows = span(s, p, d.n, d.batch * d.heads);
    ivl_args a = { 0 };
    for (int i = 0; i < 4; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_tensor(&a, n->y[1]);
    arg_sizes(&a, &d);
    ivl_arg_int(&a, n->x[3] != NULL), ivl_arg_int(&a, rows), ivl_arg_float(&a, (float)d.scale);
    return ivl_enqueue(s, p->k[0], (d.n + rows - 1) / rows, d.heads, d.batch, p->p[WG], &a);
}

/* --- backward ------------------------------------------------------------------------------------- */

static int64_t delta_floats(const ivl_attention_dims *d) { return (int64_t)d->batch * d->heads * d->n; }

static size_t scratch_tiled(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    ivl_attention_dims d = ivl_attention_dims_of(n);
    return sizeof(float) * (size_t)delta_floats(&d);
}

static size_t scratch_fused(const ivl_caps *c, const ivl_node *n)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    return scratch_tiled(c, n) + (n->y[0] ? sizeof(float) * (size_t)(delta_floats(&d) * d.dim) : 0);
}

static bool fits_fused(const ivl_caps *c, const ivl_node *n)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    return fits(c, n) && !is_gpu(c) && d.n >= 16 && d.kv_batch * d.kv_heads >= 2 * c->units;
}

static ivl_status prepare_tiled(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    IVL_TRY(build(d, n, param, 0, "attention_delta", p_p));
    IVL_TRY(build(d, n, param, 1, "attention_bwd_q", p_p));
    return build(d, n, param, 2, "attention_bwd_kv", p_p);
}

static ivl_status prepare_fused(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    IVL_TRY(build(d, n, param, 0, "attention_delta", p_p));
    return build(d, n, param, 1, "attention_bwd_fused", p_p);
}

static ivl_status run_delta(ivl_stream *s, const ivl_node *n, const ivl_prep *p, const ivl_attention_dims *d,
                            ivl_buffer scratch, int64_t off)
{
    enum { SPAN = 64 };
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, n->x[4]);
    ivl_arg_tensor(&a, n->x[6]);
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_int(&a, d->n), ivl_arg_int(&a, d->heads), ivl_arg_int(&a, SPAN);
    return ivl_enqueue(s, p->k[0], (d->n + SPAN - 1) / SPAN, d->heads, d->batch, p->p[WG], &a);
}

/* q, k, v, len, lse, do, delta */
static void arg_inputs(ivl_args *a, const ivl_node *n, ivl_buffer scratch, int64_t off)
{
    static const int order[] = { 0, 1, 2, 3, 5, 6 };
    for (int i = 0; i < 6; i++) ivl_arg_tensor(a, n->x[order[i]]);
    ivl_arg_buffer(a, scratch, off / 4);
}

/* 0: not wanted, 1: assign, 2: add */
static int put(const ivl_node *n, int i) { return n->y[i] ? 1 + ivl_adds(n, i) : 0; }

static ivl_status run_tiled(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    int rows = span(s, p, d.n, d.batch * d.heads), keys = span(s, p, d.m, d.kv_batch * d.kv_heads);
    IVL_TRY(run_delta(s, n, p, &d, scratch, off));
    if (n->y[0]) {
        ivl_args a = { 0 };
        arg_inputs(&a, n, scratch, off);
        ivl_arg_tensor(&a, n->y[0]);
        arg_sizes(&a, &d);
        ivl_arg_int(&a, n->x[3] != NULL), ivl_arg_int(&a, rows), ivl_arg_float(&a, (float)d.scale);
        ivl_arg_int(&a, ivl_adds(n, 0));
        IVL_TRY(ivl_enqueue(s, p->k[1], (d.n + rows - 1) / rows, d.heads, d.batch, p->p[WG], &a));
    }
    if (!n->y[1] && !n->y[2]) return IVL_OK;
    ivl_args a = { 0 };
    arg_inputs(&a, n, scratch, off);
    ivl_arg_tensor(&a, n->y[1]);
    ivl_arg_tensor(&a, n->y[2]);
    arg_sizes(&a, &d);
    ivl_arg_int(&a, n->x[3] != NULL), ivl_arg_int(&a, keys), ivl_arg_float(&a, (float)d.scale);
    ivl_arg_int(&a, d.batch), ivl_arg_int(&a, put(n, 1)), ivl_arg_int(&a, put(n, 2));
    return ivl_enqueue(s, p->k[2], (d.m + keys - 1) / keys, d.kv_heads, d.kv_batch, p->p[WG], &a);
}

static ivl_status run_fused(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    ivl_attention_dims d = ivl_attention_dims_of(n);
    IVL_TRY(run_delta(s, n, p, &d, scratch, off));
    ivl_args a = { 0 };
    arg_inputs(&a, n, scratch, off);
    ivl_arg_buffer(&a, scratch, off / 4 + delta_floats(&d));
    for (int i = 0; i < 3; i++) ivl_arg_tensor(&a, n->y[i]);
    arg_sizes(&a, &d);
    ivl_arg_int(&a, n->x[3] != NULL), ivl_arg_float(&a, (float)d.scale), ivl_arg_int(&a, d.batch);
    for (int i = 0; i < 3; i++) ivl_arg_int(&a, put(n, i));
    return ivl_enqueue(s, p->k[1], d.kv_heads, d.kv_batch, 1, p->p[WG], &a);
}

const ivl_impl ivl_attention_impls[IVL_ATTENTION_IMPLS] = {
    { .name = "attention.any.tiled", .op = IVL_OP_attention, .fits = fits, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &space },
};
const ivl_impl ivl_attention_bwd_impls[IVL_ATTENTION_BWD_IMPLS] = {
    { .name = "attention_bwd.any.fused",
      .op = IVL_OP_attention_bwd,
      .rank = 1,
      .fits = fits_fused,
      .scratch = scratch_fused,
      .prepare = prepare_fused,
      .run = run_fused,
      .destroy = ivl_prep_destroy,
      .space = &space },
    { .name = "attention_bwd.any.tiled",
      .op = IVL_OP_attention_bwd,
      .fits = fits,
      .scratch = scratch_tiled,
      .prepare = prepare_tiled,
      .run = run_tiled,
      .destroy = ivl_prep_destroy,
      .space = &space },
};
