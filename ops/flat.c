#include "ops/flat.h"

/* Groups of one item are threads' work: more of them than this only cost. */
enum { MOST_GROUPS = 512 };

ivl_span ivl_span_of(const ivl_tensor *const *t, int n, bool per_column, const int *param)
{
    ivl_span s = { 0 };
    bool gaps = per_column;
    for (int i = 0; i < n; i++) {
        if (!t[i]) continue;
        gaps |= !ivl_contiguous(t[i]);
        s.rows = ivl_rows(t[i]), s.cols = ivl_cols(t[i]);
    }
    if (!gaps) s.cols *= s.rows, s.rows = s.cols > 0;
    int64_t per = (int64_t)param[0] * param[1], all = s.rows * s.cols;
    if (param[0] == 1 && per * MOST_GROUPS < all) per = (all + MOST_GROUPS - 1) / MOST_GROUPS;
    if (all <= 0) return s;
    if (s.cols > per) {
        int64_t parts = (s.cols + per - 1) / per;
        s.row_step = 1;
        s.col_step = ((s.cols + parts - 1) / parts + 63) / 64 * 64; /* whole vectors */
    } else {
        s.row_step = per / s.cols;
        s.col_step = s.cols;
    }
    s.gx = (s.rows + s.row_step - 1) / s.row_step;
    s.gy = (s.cols + s.col_step - 1) / s.col_step;
    return s;
}

void ivl_arg_span(ivl_args *a, const ivl_span *s)
{
    ivl_arg_long(a, s->rows), ivl_arg_long(a, s->cols);
    ivl_arg_long(a, s->row_step), ivl_arg_long(a, s->col_step);
}

ivl_status ivl_enqueue_span(ivl_stream *s, ivl_kernel *k, const ivl_span *span, const int *param, ivl_args *a)
{
    return ivl_enqueue(s, k, span->gx, span->gy, 1, param[0], a);
}
