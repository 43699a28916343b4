/* Matrix products on CPUs: linear, linear_gelu, linear_residual and matmul through one kernel (gemm_cpu.cl).
 * Here: which tile, and how the work is cut into groups. */
#include "backends/opencl/opencl.h"
#include "ops/gemm_tiled.h"
#include "runtime/dtype.h"

#include <string.h>

/* --- tiles and groups --------------------------------------------------------------------------------- */

enum { P_MR, P_NV, P_KC, P_KB, N_PARAM, P_GX = N_PARAM, P_GY }; /* the last two are kept, not tuned */

/* How the work is cut: gx groups share the panels, gy the row tiles. Sizes are in floats. */
typedef struct cut {
    int mr, nv, vw, gx, gy, kc;
    bool copy_a;
    int64_t a_size, t_size, group_size;
} cut;

static int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int ivl_cl_vector_width(const ivl_caps *c) { return c->vec_f32 >= 16 ? 16 : c->vec_f32 >= 8 ? 8 : 4; }

/* Cycles of the slowest core, about: a tile costs half a cycle per register and step, packing a few per row.
 * Drivers deal groups out in equal shares. */
static double cost(const ivl_product *s, const cut *c, int64_t panels, int64_t tiles, int units)
{
    double np = (double)up(panels, c->gx), nt = (double)up(tiles, c->gy), k = (double)s->k;
    double pack = np * c->nv * k * (s->tb ? 5 : 2), copy = c->copy_a ? nt * k * (s->ta ? 3 : 1) : 0;
    double work = nt * np * (k * c->mr * c->nv * 0.5 + 6.0 * c->mr * c->nv);
    return (double)up((int64_t)c->gx * c->gy, units) * (pack + copy + work + 2000);
}

/* The tile, the blocks of k; gx and gy still open. */
static cut cut_begin(const ivl_caps *caps, const ivl_product *s, const int *param)
{
    cut c = { .mr = param[P_MR], .nv = param[P_NV], .vw = ivl_cl_vector_width(caps) };
    int64_t blocks = up(s->k, param[P_KC]);
    c.kc = blocks > 1 ? (int)up(up(s->k, blocks), 16) * 16 : (int)s->k;
    c.copy_a = s->ta || s->a->dtype != IVL_F32 || s->m < c.mr;
    return c;
}

static void cut_end(const ivl_product *s, cut *c)
{
    int64_t nr = c->nv * c->vw, np = up(up(s->n, nr), c->gx), nt = up(up(s->m, c->mr), c->gy);
    c->a_size = c->mr * (up(c->kc, 16) * 16 + 16); /* rows 64 bytes past a power of two */
    c->t_size = c->mr * nr * (s->k > c->kc ? nt * np : 1);
    c->group_size = up((c->copy_a ? s->ta ? 4 : 1 : 0) * c->a_size + c->t_size + np * c->kc * nr, 16) * 16;
}

/* Tries few panels and few row tiles a group. */
static cut cut_of(const ivl_caps *caps, const ivl_product *s, const int *param)
{
    cut c = cut_begin(caps, s, param), best_cut = c;
    int64_t nr = c.nv * c.vw, panels = up(s->n, nr), tiles = up(s->m, c.mr),
            units = caps->units < 1 ? 1 : caps->units;
    int64_t most = (int64_t)param[P_KB] * 1024 / (4 * nr * c.kc); /* panels of a group */
    int64_t least = up(panels, most < 1 ? 1 : most), even = up(least, units) * units;
    double best = 0;
    for (int i = 0; i <= 8; i++)
        for (int64_t y = 1; y <= tiles && y <= 2 * units; y += y < 8 ? 1 : y) {
            int64_t x = i < 8 ? least + i : even;
            if (x > panels) continue;
            c.gx = (int)x, c.gy = (int)y;
            double t = cost(s, &c, panels, tiles, (int)units);
            if (best == 0 || t < best) best = t, best_cut = c;
        }
    cut_end(s, &best_cut);
    return best_cut;
}

static int64_t cut_floats(const cut *c) { return c->group_size * c->gx * c->gy; }

static void defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    ivl_product s = ivl_product_of(n);
    int vw = ivl_cl_vector_width(c);
    param[P_MR] = s.m <= 4 ? 4 : vw == 16 ? 12 : 6;
    param[P_NV] = s.n <= vw ? 1 : 2;
    param[P_KC] = 1536;
    param[P_KB] = vw == 16 ? 512 : 192;
}

static int64_t scratch_floats(const ivl_caps *c, const ivl_node *n)
{
    ivl_product s = ivl_product_of(n);
    int param[IVL_MAX_PARAM];
    defaults(c, n, param);
    cut t = cut_of(c, &s, param);
    return cut_floats(&t) * 3 / 2;
}

size_t ivl_cl_packed_scratch(const ivl_caps *c, const ivl_node *n)
{
    return (size_t)scratch_floats(c, n) * sizeof(float);
}

/* The accumulators, a row of B and one element of A fit the registers, and the scratch is enough. */
static bool valid(const ivl_caps *c, const ivl_node *n, const int *param)
{
    if (param[P_MR] * param[P_NV] + param[P_NV] + 1 > (ivl_cl_vector_width(c) == 16 ? 32 : 16)) return false;
    ivl_product s = ivl_product_of(n);
    cut t = cut_of(c, &s, param);
    return cut_floats(&t) <= scratch_floats(c, n);
}

const ivl_tune_space ivl_cl_packed_space = {
    .n = N_PARAM,
    .name = { "MR", "NV", "KC", "KB" },
    .values = { { 4, 6, 8, 10, 12, 14 }, { 1, 2, 3 }, { 512, 1024, 1536 }, { 128, 192, 512, 1024 } },
    .defaults = defaults,
    .valid = valid,
};

/* --- the implementation ------------------------------------------------------------------------------- */

static bool stored(const ivl_tensor *t, ivl_dtype d) { return !t || t->dtype == d; }

/* A row pitch that one number describes. */
static bool is_matrix(const ivl_tensor *t, int64_t cols)
{
    return !t || ivl_cols(t) == cols || ivl_contiguous(t);
}

bool ivl_cl_packed_fits(const ivl_caps *c, const ivl_node *n)
{
    if (c->features & (IVL_CAP_GPU | IVL_CAP_NO_KERNELS) || c->vec_f32 < 4) return false;
    ivl_product s = ivl_product_of(n);
    ivl_dtype t = s.a->dtype;
    if (t != IVL_F32 && t != IVL_BF16 && t != IVL_F16) return false;
    bool quantised = s.tb && t == IVL_F32 && ivl_dtype_block(s.b->dtype) > 1;
    if ((!quantised && !stored(s.b, t)) || !stored(s.bias, t) || !stored(s.res, t) || !stored(s.ls, t) ||
        !stored(s.z, t))
        return false;
    if (s.y->dtype != t && s.y->dtype != IVL_F32) return false;
    return s.m > 0 && s.n > 0 && s.k > 0 && s.m < INT32_MAX / 64 && s.n < INT32_MAX / 64 &&
           s.k < INT32_MAX / 64 && is_matrix(s.y, s.n) && is_matrix(s.z, s.n) && is_matrix(s.res, s.n);
}

ivl_status ivl_cl_packed_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    ivl_product s = ivl_product_of(n);
    cut c = cut_of(ivl_device_caps(d), &s, param);
    int epilogue = n->op == IVL_OP_linear_gelu ? 1 : n->op == IVL_OP_linear_residual ? 2 : 0;
    int keep[IVL_MAX_PARAM] = { c.mr, c.nv, param[P_KC], param[P_KB], c.gx, c.gy };
    return ivl_prep_kernel(d, p_p, 0, keep, "gemm_cpu", "gemm",
                           "%s%s%s -DMR=%d -DNV=%d -DVW=%d -DTA=%d -DTB=%d -DCOPY_A=%d -DEPILOGUE=%d",
                           ivl_t_define(s.a->dtype), s.y->dtype != s.a->dtype ? " -DY_F32" : "",
                           ivl_w_define(s.b->dtype), c.mr, c.nv, c.vw, s.ta, s.tb, c.copy_a, epilogue);
}

/* A tensor as a matrix of `cols` columns: where the shape is another one, it is contiguous. */
static void arg_matrix(ivl_args *a, const ivl_tensor *t, int64_t cols)
{
    ivl_tensor m = { 0 };
    if (t) m = *t;
    if (t && ivl_cols(t) != cols) m.pitch = cols;
    ivl_arg_tensor(a, &m);
}

ivl_status ivl_cl_packed_run(ivl_stream *st, const ivl_node *n, const ivl_prep *p, ivl_buffer tmp, int64_t off)
{
    ivl_product s = ivl_product_of(n);
    cut c = cut_begin(ivl_device_caps(st->dev), &s, p->p);
    c.gx = p->p[P_GX], c.gy = p->p[P_GY];
    cut_end(&s, &c);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, s.a);
    ivl_arg_tensor(&a, s.b);
    ivl_arg_tensor(&a, s.bias);
    arg_matrix(&a, s.res, s.n);
    ivl_arg_tensor(&a, s.ls);
    ivl_arg_tensor(&a, s.scale);
    arg_matrix(&a, s.y, s.n);
    arg_matrix(&a, s.z, s.n);
    ivl_arg_buffer(&a, tmp, off / (int64_t)sizeof(float));
    ivl_arg_int(&a, (int)s.m), ivl_arg_int(&a, (int)s.n), ivl_arg_int(&a, (int)s.k), ivl_arg_int(&a, c.kc);
    ivl_arg_int(&a, s.scale ? (int)(s.m / ivl_numel(s.scale)) : 1);
    ivl_arg_int(&a, ivl_product_flags(n, &s));
    ivl_arg_int(&a, ivl_adds(n, 0));
    ivl_arg_int(&a, (int)c.a_size), ivl_arg_int(&a, (int)c.t_size), ivl_arg_long(&a, c.group_size);
    return ivl_enqueue(st, p->k[0], c.gx, c.gy, 1, 1, &a);
}
