/* The report of a run: one self-contained HTML page with curves, recall tables and example searches. */
#ifndef IVL_TRAIN_REPORT_H
#define IVL_TRAIN_REPORT_H

#include <ivl/backend.h>

/* Reads what lies in run_dir: run.json (facts, shown as a table), metrics.jsonl (curves), every *.json of eval/
 * ({"results": [...]}, see train/eval.h) and search.json ({"queries": [{"query", "lang", "hits": [{"key", "text",
 * "score", "right", "image": data URL}]}]}). Missing parts are left out and said so. Writes atomically. */
ivl_status ivl_report_write(const char *run_dir, const char *html_path);

#endif
