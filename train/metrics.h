/* Metrics of a run, written as they come: metrics.jsonl (one JSON object a line) and TensorBoard events beside it.
 * Both are append-only logs; a resumed run continues them after cutting what lies at or past its first step. */
#ifndef IVL_TRAIN_METRICS_H
#define IVL_TRAIN_METRICS_H

#include <ivl/backend.h>

typedef struct ivl_metrics ivl_metrics;
typedef struct ivl_metric { const char *name; double value; } ivl_metric;

/* dir exists. first_step: lines of earlier runs at or past it are dropped. */
ivl_status ivl_metrics_open(const char *dir, int64_t first_step, ivl_metrics **m_p);
/* NaN and infinities are written as null in JSON. */
ivl_status ivl_metrics_write(ivl_metrics *m, int64_t step, const ivl_metric *metric, int n);
ivl_status ivl_metrics_close(ivl_metrics *m); /* reports a write error; accepts NULL */

#endif
