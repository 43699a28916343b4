/* sq_norm: the sum of squares of up to 12 contiguous tensors: the global gradient norm, and the flag that
 * says whether a step is finite. Chunks of fixed size, then the chunks: the order does not depend on the
 * number of cores. */
#include "ops/op.h"

enum { CHUNK = 16384, TYPES = 3 /* kernels by storage type, then the sum */ };

ivl_val ivl_sq_norm(ivl_graph *g, const ivl_val *x, int n)
{
    return ivl_record(g, IVL_OP_sq_norm, x, n, 1, NULL, 0, NULL);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_CHECK(n->n_in > 0, IVL_EINVAL, "sq_norm: no tensors");
    for (int i = 0; i < n->n_in; i++) {
        IVL_TRY(ivl_need(n, i, "a tensor", -1));
        const ivl_tensor *x = n->x[i];
        char text[96];
        IVL_CHECK(ivl_is_float(x->dtype) && (x->dtype == IVL_F64) == (n->x[0]->dtype == IVL_F64) &&
                      ivl_contiguous(x),
                  IVL_EINVAL, "sq_norm: input %d (%s) must be contiguous and of a float type", i,
                  ivl_tensor_text(x, text, sizeof text));
    }
    return ivl_out(n, 0, ivl_stat_dtype(n->x[0]->dtype), 0, NULL);
}

static double flops(const ivl_node *n)
{
    double sum = 0;
    for (int i = 0; i < n->n_in; i++) sum += 2.0 * (double)ivl_numel(n->x[i]);
    return sum;
}

/* --- portable ---------------------------------------------------------------------------------------- */

static int64_t chunks_of(const ivl_tensor *x) { return (ivl_numel(x) + CHUNK - 1) / CHUNK; }

static int64_t all_chunks(const ivl_node *n)
{
    int64_t sum = 0;
    for (int i = 0; i < n->n_in; i++) sum += chunks_of(n->x[i]);
    return sum;
}

static bool fits(const ivl_caps *c, const ivl_node *n)
{
    return ivl_fits_kernels(c, n) && all_chunks(n) <= INT32_MAX;
}

static size_t scratch_bytes(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    return sizeof(float) * (size_t)all_chunks(n);
}

static int kernel_of(ivl_dtype t) { return t == IVL_BF16 ? 1 : t == IVL_F16 ? 2 : 0; }

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    bool have[TYPES] = { false };
    IVL_TRY(ivl_prep_kernel(d, p_p, TYPES, param, "sq_norm", "sq_norm_sum", "%s -DWG_SIZE=%d -DVEC=%d",
                            ivl_t_define(n->x[0]->dtype), param[0], param[1]));
    for (int i = 0; i < n->n_in; i++) {
        ivl_dtype t = n->x[i]->dtype;
        if (have[kernel_of(t)]) continue;
        have[kernel_of(t)] = true;
        IVL_TRY(ivl_prep_kernel(d, p_p, kernel_of(t), param, "sq_norm", "sq_norm_chunk",
                                "%s -DWG_SIZE=%d -DVEC=%d", ivl_t_define(t), param[0], param[1]));
    }
    return IVL_OK;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    int64_t at = off / 4;
    for (int i = 0; i < n->n_in; i++) {
        ivl_args a = { 0 };
        ivl_arg_tensor(&a, n->x[i]);
        ivl_arg_buffer(&a, scratch, at);
        ivl_arg_long(&a, ivl_numel(n->x[i])), ivl_arg_int(&a, CHUNK);
        IVL_TRY(ivl_enqueue(s, p->k[kernel_of(n->x[i]->dtype)], chunks_of(n->x[i]), 1, 1, p->p[0], &a));
        at += chunks_of(n->x[i]);
    }
    ivl_args a = { 0 };
    ivl_arg_buffer(&a, scratch, off / 4);
    ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_int(&a, (int)(at - off / 4));
    return ivl_enqueue(s, p->k[TYPES], 1, 1, 1, p->p[0], &a);
}

/* A chunk is long: several chains of sums side by side pay. */
static void chunk_defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    (void)n;
    bool gpu = c->features & IVL_CAP_GPU;
    param[0] = gpu ? 256 : 1;
    param[1] = gpu ? 8 : 64;
}

static bool chunk_valid(const ivl_caps *c, const ivl_node *n, const int *param)
{
    (void)n;
    return param[0] <= c->max_group;
}

static const ivl_tune_space chunk_space = {
    .n = 2,
    .name = { "WG_SIZE", "VEC" },
    .values = { { 1, 64, 128, 256 }, { 4, 8, 16, 32, 64, 128 } },
    .defaults = chunk_defaults,
    .valid = chunk_valid,
};

static const ivl_impl impls[] = {
    { .name = "sq_norm.any.chunk",
      .op = IVL_OP_sq_norm,
      .fits = fits,
      .scratch = scratch_bytes,
      .prepare = prepare,
      .run = run,
      .destroy = ivl_prep_destroy,
      .space = &chunk_space },
};

const ivl_op_desc ivl_desc_sq_norm = {
    .name = "sq_norm",
    .infer = infer,
    .ref64 = ivl_ref64_sq_norm,
    .ref32 = ivl_ref32_sq_norm,
    .flops = flops,
    .impls = impls,
    .n_impls = 1,
};
