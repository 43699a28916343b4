#include "train/trace.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/dtype.h"

/* First element of t that is not finite; -1 if there is none. */
static ivl_status first_bad(ivl_stream *s, const ivl_tensor *t, int64_t *at_p, double *value_p)
{
    int64_t cols = ivl_cols(t), rows = ivl_rows(t);
    size_t bytes = ivl_dtype_bytes(t->dtype, cols);
    void *row = malloc(bytes ? bytes : 1);
    IVL_CHECK(row, IVL_ENOMEM, "out of memory");
    ivl_status e = IVL_OK;
    *at_p = -1;
    for (int64_t r = 0; r < rows && *at_p < 0 && e == IVL_OK; r++) {
        e = ivl_read(s, t->buf, ivl_dtype_bytes(t->dtype, t->off + r * t->pitch), bytes, row);
        for (int64_t i = 0; e == IVL_OK && i < cols && *at_p < 0; i++)
            if (!isfinite(*value_p = ivl_load(row, t->dtype, i))) *at_p = r * cols + i;
    }
    free(row);
    return e;
}

static void describe(const ivl_node *n, int node, int output, int64_t at, double v, char *text, size_t size)
{
    char shape[96];
    int k = snprintf(text, size, "node %d, %s, output %d %s: element %lld is %g; inputs:", node,
                     ivl_op_get(n->op)->name, output, ivl_tensor_text(n->y[output], shape, sizeof shape),
                     (long long)at, v);
    for (int i = 0; i < n->n_in && k > 0 && k < (int)size; i++)
        if (n->x[i]) k += snprintf(text + k, size - (size_t)k, " %s", n->x[i]->name);
}

ivl_status ivl_trace_nan(ivl_plan *p, ivl_stream *s, bool *found_p, char *text, size_t size)
{
    *found_p = false;
    for (int i = 0; i < ivl_plan_nodes(p); i++) {
        const ivl_node *n = ivl_plan_node(p, i);
        if (n->op == IVL_OP_adamw) break;
        IVL_TRY(ivl_plan_run_range(p, s, i, i + 1));
        for (int j = 0; j < n->n_out; j++) {
            int64_t at = -1;
            double v = 0;
            if (!n->y[j] || n->y[j]->dtype == IVL_I32) continue;
            IVL_TRY(first_bad(s, n->y[j], &at, &v));
            if (at < 0) continue;
            describe(n, i, j, at, v, text, size);
            *found_p = true;
            return IVL_OK;
        }
    }
    return IVL_OK;
}
