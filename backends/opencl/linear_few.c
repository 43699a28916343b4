/* linear, linear_gelu, linear_residual and linears for few rows on CPUs (linear_few.cl). */
#include "backends/opencl/opencl.h"
#include "ops/gemm_tiled.h"
#include "ops/linears.h"
#include "runtime/dtype.h"

enum { P_R, N_PARAM, MOST_ROWS = 8 };
enum { GROUP_WORK = 1 << 15 }; /* elements of w: some ten microseconds */

/* Sums, and what they are made of, fit the registers. */
static void defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    int m = (int)ivl_rows(n->x[0]), registers = ivl_cl_vector_width(c) == 16 ? 32 : 16;
    param[P_R] = m == 1 ? 4 : m * 4 + 2 * m <= registers ? 4 : m * 2 + 2 * m <= registers ? 2 : 1;
}

const ivl_tune_space ivl_cl_few_space = {
    .n = N_PARAM, .name = { "R" }, .values = { { 1, 2, 4, 8 } }, .defaults = defaults,
};

bool ivl_cl_few_fits(const ivl_caps *c, const ivl_node *n)
{
    if (c->features & (IVL_CAP_GPU | IVL_CAP_NO_KERNELS) || c->vec_f32 < 4) return false;
    ivl_product p = ivl_product_of(n);
    return p.m > 0 && p.m <= MOST_ROWS && p.a->dtype != IVL_F64 && p.n < INT32_MAX / 64 && p.k < INT32_MAX / 64 &&
           ivl_cols(p.y) == p.n;
}

ivl_status ivl_cl_few_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    ivl_product p = ivl_product_of(n);
    return ivl_prep_kernel(d, p_p, 0, param, "linear_few", "linear_few", "%s %s%s -DM=%d -DR=%d -DVW=%d",
                           ivl_t_define(p.a->dtype), ivl_o_define(p.y->dtype), ivl_w_define(p.b->dtype), (int)p.m,
                           param[P_R], ivl_cl_vector_width(ivl_device_caps(d)));
}

/* For n rows of k elements. */
static int64_t groups(const ivl_caps *c, int64_t n, int64_t k)
{
    int64_t units = c->units < 1 ? 1 : c->units, most = 8 * units, g = n * k / GROUP_WORK / units * units;
    return g > most ? most : g > 0 ? g : n < units ? 1 : units;
}

ivl_status ivl_cl_few_run(ivl_stream *s, const ivl_node *n, const ivl_prep *prep, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_product p = ivl_product_of(n);
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, p.a), ivl_arg_tensor(&a, p.b), ivl_arg_tensor(&a, p.bias), ivl_arg_tensor(&a, p.res);
    ivl_arg_tensor(&a, p.ls), ivl_arg_tensor(&a, p.scale), ivl_arg_tensor(&a, p.y), ivl_arg_tensor(&a, p.z);
    ivl_arg_int(&a, (int)p.n), ivl_arg_int(&a, (int)p.k);
    ivl_arg_int(&a, p.scale ? (int)(p.m / ivl_numel(p.scale)) : 1);
    ivl_arg_int(&a, ivl_product_flags(n, &p));
    return ivl_enqueue(s, prep->k[0], groups(ivl_device_caps(s->dev), p.n, p.k), 1, 1, 1, &a);
}

/* --- linears ---------------------------------------------------------------------------------------------------- */

bool ivl_cl_linears_fits(const ivl_caps *c, const ivl_node *n)
{
    if (c->features & (IVL_CAP_GPU | IVL_CAP_NO_KERNELS) || c->vec_f32 < 4) return false;
    int64_t m = ivl_rows(n->x[0]), rows = 0;
    for (int i = 0; i < ((const ivl_linears_attr *)n->attr)->n; i++) rows += ivl_linears_weight(n, i)->dim[0];
    return m > 0 && m <= MOST_ROWS && n->x[0]->dtype != IVL_F64 && rows < INT32_MAX / 64 &&
           ivl_cols(n->x[0]) < INT32_MAX / 64;
}

/* Rows that groups share; those of a gate and what it gates count once. */
static int64_t rows_of(const ivl_node *n)
{
    const ivl_linears_attr *a = n->attr;
    int64_t rows = 0;
    for (int i = 0; i < (a->gated ? 1 : a->n); i++) rows += ivl_linears_weight(n, i)->dim[0];
    return rows;
}

static int64_t linears_groups(const ivl_caps *c, const ivl_node *n)
{
    return groups(c, rows_of(n), ivl_cols(n->x[0]) * (((const ivl_linears_attr *)n->attr)->gated ? 2 : 1));
}

size_t ivl_cl_linears_scratch(const ivl_caps *c, const ivl_node *n)
{
    bool norm = ((const ivl_linears_attr *)n->attr)->norm;
    return norm ? (size_t)linears_groups(c, n) * ivl_dtype_bytes(n->x[0]->dtype, ivl_numel(n->x[0])) : 0;
}

ivl_status ivl_cl_linears_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    ivl_dtype t = n->x[0]->dtype;
    return ivl_prep_kernel(d, p_p, 0, param, "linear_few", "linears_few", "%s %s%s -DM=%d -DR=%d -DVW=%d",
                           ivl_t_define(t), ivl_o_define(t), ivl_w_define(ivl_linears_weight(n, 0)->dtype),
                           (int)ivl_rows(n->x[0]), param[P_R], ivl_cl_vector_width(ivl_device_caps(d)));
}

ivl_status ivl_cl_linears_run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    ivl_args a = { 0 };
    ivl_linears_args(&a, n, scratch, off / (int64_t)ivl_dtype_bytes(n->x[0]->dtype, 1));
    return ivl_enqueue(s, p->k[0], linears_groups(ivl_device_caps(s->dev), n), 1, 1, 1, &a);
}
