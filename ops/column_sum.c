#include "ops/column_sum.h"

/* Enough groups for load balance, few enough that partial sums stay small beside the rows. */
enum { CPU_CHUNKS = 64, GPU_CHUNKS = 256 };

ivl_chunks ivl_row_chunks(const ivl_caps *c, int64_t rows, bool sums)
{
    bool gpu = c->features & IVL_CAP_GPU;
    int64_t most = gpu ? (sums ? GPU_CHUNKS : rows) : CPU_CHUNKS;
    int64_t per = most > 0 ? (rows + most - 1) / most : 1;
    if (per < 1) per = 1;
    return (ivl_chunks){ (int)((rows + per - 1) / per), (int)per };
}

ivl_status ivl_out_column_sum(const ivl_node *n, int i, ivl_dtype t, int64_t cols)
{
    return ivl_out(n, i, ivl_stat_dtype(t), 1, &cols);
}

ivl_status ivl_column_sum(ivl_stream *s, const ivl_prep *p, ivl_kernel *k, ivl_buffer scratch, int64_t off,
                          int chunks, const ivl_tensor *out, bool add)
{
    int64_t cols = ivl_numel(out);
    ivl_args a = { 0 };
    ivl_arg_buffer(&a, scratch, off);
    ivl_arg_tensor(&a, out);
    ivl_arg_int(&a, (int)cols), ivl_arg_int(&a, chunks), ivl_arg_int(&a, add);
    return ivl_enqueue(s, k, ivl_flat_groups(cols, p->p), 1, 1, p->p[0], &a);
}
