/* attention of one query per sample on CPUs (attention_one.cl). */
#include "backends/opencl/opencl.h"
#include "ops/attention.h"

enum { MOST_DIM = 256 };

static void defaults(const ivl_caps *c, const ivl_node *n, int *param) { (void)c, (void)n, (void)param; }
const ivl_tune_space ivl_cl_one_space = { .n = 0, .defaults = defaults };

bool ivl_cl_one_fits(const ivl_caps *c, const ivl_node *n)
{
    if (c->features & (IVL_CAP_GPU | IVL_CAP_NO_KERNELS) || c->vec_f32 < 4 || n->x[0]->dtype == IVL_F64) return false;
    ivl_attention_dims d = ivl_attention_dims_of(n);
    return d.n == 1 && d.dim % ivl_cl_vector_width(c) == 0 && d.dim <= MOST_DIM;
}

ivl_status ivl_cl_one_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    return ivl_prep_kernel(d, p_p, 0, param, "attention_one", "attention_one", "%s -DHEAD_DIM=%d -DVW=%d",
                           ivl_t_define(n->x[0]->dtype), ivl_attention_dims_of(n).dim,
                           ivl_cl_vector_width(ivl_device_caps(d)));
}

ivl_status ivl_cl_one_run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_attention_dims d = ivl_attention_dims_of(n);
    int sizes[] = { d.m, d.heads, d.group, d.kv_batch, d.rule, d.queries };
    ivl_args a = { 0 };
    for (int i = 0; i < 4; i++) ivl_arg_tensor(&a, n->x[i]);
    ivl_arg_tensor(&a, n->y[0]), ivl_arg_tensor(&a, n->y[1]);
    for (int i = 0; i < 6; i++) ivl_arg_int(&a, sizes[i]);
    ivl_arg_int(&a, n->x[3] != NULL), ivl_arg_float(&a, (float)d.scale);
    return ivl_enqueue(s, p->k[0], d.heads, d.batch, 1, 1, &a);
}
