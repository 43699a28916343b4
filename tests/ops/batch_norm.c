#include "tests/ops/cases.h"

static ivl_status fix_bwd(const ivl_node *n)
{
    const ivl_tensor *x = n->x[0], *mean = n->x[2], *rstd = n->x[3];
    const ivl_batch_norm_attr *a = n->attr;
    int64_t cols = ivl_cols(x);
    for (int64_t c = 0; c < cols; c++) { /* given ones: any that could be; of the batch: those */
        double m = 0, sq = 0, *to_mean = mean->buf.host, *to_rstd = rstd->buf.host;
        const double *at = (const double *)x->buf.host + x->off + c;
        int64_t rows = ivl_rows(x);
        for (int64_t r = 0; r < rows; r++) m += at[r * x->pitch] / (double)rows;
        for (int64_t r = 0; r < rows; r++) sq += (at[r * x->pitch] - m) * (at[r * x->pitch] - m);
        to_mean[mean->off + c] = a->train ? m : m + 0.1;
        double v = sq / (double)rows + a->eps, root = v > 1 ? v : 1;
        for (int i = 0; i < 60; i++) root = (root + v / root) / 2;
        to_rstd[rstd->off + c] = 1 / root;
    }
    return IVL_OK;
}

static const struct {
    int64_t rows, c, gap;
    int train;
    ivl_case_size size;
} shapes[] = {
    { 2, 1, 0, 1, IVL_TINY },      { 9, 37, 0, 1, IVL_TINY },    { 5, 64, 64, 1, IVL_TINY },  { 1, 37, 0, 0, IVL_TINY },
    { 7, 130, 3, 0, IVL_NORMAL },  { 201, 90, 6, 1, IVL_NORMAL }, { 66, 384, 0, 1, IVL_NORMAL },
};

void ivl_cases_batch_norm(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t r = shapes[i].rows, c = shapes[i].c, gap = shapes[i].gap;
        ivl_batch_norm_attr a = { i & 1 ? 1e-5 : 1e-6, 0.1, shapes[i].train };
        ivl_case f = {
            .op = IVL_OP_batch_norm,
            .size = shapes[i].size,
            .n_in = 5,
            .n_out = 3,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(r, c), .gap = gap, .draw = { IVL_DRAW_NORMAL, 1, 2 } },
                    { IVL_ROLE_T, IVL_DIMS(c), .draw = { IVL_DRAW_NORMAL, 1, 0.1 } },
                    { IVL_ROLE_T, IVL_DIMS(c) },
                    { IVL_ROLE_S, IVL_DIMS(c) },
                    { IVL_ROLE_S, IVL_DIMS(c), .draw = { IVL_DRAW_UNIFORM, 0.5, 2 } } },
            .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%lldx%lld gap %lld %s", (long long)r, (long long)c, (long long)gap,
                 a.train ? "train" : "given");
        ivl_case_add(list, &f);
        ivl_case d = {
            .op = IVL_OP_batch_norm_bwd,
            .size = shapes[i].size,
            .n_in = 5,
            .n_out = 3,
            .attr = &a,
            .attr_bytes = sizeof a,
            .in = { f.in[0], f.in[1], { IVL_ROLE_S, IVL_DIMS(c) }, { IVL_ROLE_S, IVL_DIMS(c) },
                    { IVL_ROLE_T, IVL_DIMS(r, c) } },
            .out = { { IVL_ROLE_T, IVL_DIMS(r, c), .gap = gap }, { IVL_ROLE_S, IVL_DIMS(c) },
                     { IVL_ROLE_S, IVL_DIMS(c) } },
            .add_mask = (uint16_t)(i % 8),
            .fix = fix_bwd,
        };
        if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
        if (i == 2) d.out[1].role = IVL_ROLE_ABSENT;
        snprintf(d.name, sizeof d.name, "%s", f.name);
        ivl_case_add(list, &d);
    }
}
