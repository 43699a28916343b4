/* The report of one or several runs (the stages, say): one self-contained HTML page with curves, tables and
 * pictures. */
#ifndef IVL_TRAIN_REPORT_H
#define IVL_TRAIN_REPORT_H

#include <ivl/backend.h>

/* Reads what lies in each of n run folders:
 *   run.json           facts, shown as a table
 *   metrics.jsonl      curves
 *   eval/NAME.json     {"results": [...]} of ivl eval retrieval, itm, caption, pope, chat (train/eval.h, train/quiz.h);
 *                      those of all runs make one table per task, so that C stands beside G and a model beside its
 *                      blind baseline
 *   search.json        {"queries": [{"query", "lang", "hits": [{"key", "text", "score", "right", "image"}]}]}, pictures
 *                      as data URLs: `ivl eval retrieval --examples`
 *   captions.json      {"captions": [{"text", "references": [...], "image"}]}: `ivl eval caption --examples`
 *   conversation.json  {"conversations": [{"image", "turns": [{"question", "answer", "truth"}]}]}: `ivl eval chat
 *                      --examples`
 * Missing parts are left out. Writes atomically. */
ivl_status ivl_report_write(const char *const *run_dir, int n, const char *html_path);

#endif
