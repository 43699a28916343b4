#include "train/report.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/file.h"
#include "train/report_parts.h"
#include "train/svg.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><title>libivl: a training run</title><style>\n"
    "body{font-family:sans-serif;margin:2em auto;max-width:1000px;padding:0 "
    "1em;color:#222;line-height:1.45}\n"
    "h1{font-size:1.6em}h2{margin-top:2em;border-bottom:1px solid "
    "#ccc}table{border-collapse:collapse;margin:1em 0}\n"
    "td,th{padding:.2em .5em;border-bottom:1px solid "
    "#e4e4e4;text-align:right}td:first-child,th:first-child{text-align:left}\n"
    "th{background:#f4f6f8}.charts{display:flex;flex-wrap:wrap;gap:16px}.q{display:flex;gap:10px;align-items:"
    "flex-start;\n"
    "margin:.6em 0;flex-wrap:wrap}.q "
    "b{width:200px;flex:none;padding-top:26px}.hit{width:92px;font-size:11px;text-align:center;\n"
    "border:2px solid "
    "transparent;border-radius:6px;padding:3px;overflow-wrap:anywhere}.right{border-color:#2c9a4b}\n"
    ".hit "
    "img{width:72px;height:72px;object-fit:contain}.note{color:#666;font-size:.9em}\n"
    ".cards{display:flex;flex-wrap:wrap;gap:12px}.card{width:150px;border:1px solid "
    "#ddd;border-radius:6px;padding:8px}\n"
    ".card img,.talk img{width:100%;border-radius:4px;background:#fafafa}.card p{margin:.3em 0;font-size:.9em}\n"
    ".talk{display:flex;gap:18px;margin:1em 0;border:1px solid #ddd;border-radius:6px;padding:12px}\n"
    ".talk img{width:180px;height:180px;object-fit:contain;flex:none}.talk dl{margin:0}.talk dt{font-weight:bold}\n"
    ".talk dd{margin:0 0 .6em 1em}\n</style></head><body>\n"
    "<h1>A training run of InternVL</h1>\n";

static json_t *load(const char *dir, const char *name)
{
    char *path = ivl_path_join(dir, name);
    json_t *j = path ? json_load_file(path, 0, NULL) : NULL;
    free(path);
    return j;
}

void ivl_report_value(FILE *f, const json_t *v)
{
    if (json_is_string(v)) ivl_html_text(f, json_string_value(v));
    else if (json_is_integer(v)) fprintf(f, "%lld", (long long)json_integer_value(v));
    else if (json_is_number(v)) fprintf(f, "%.4g", json_number_value(v));
    else if (json_is_boolean(v)) fputs(json_is_true(v) ? "yes" : "no", f);
    else fputs("-", f);
}

static void facts(FILE *f, const char *dir)
{
    json_t *run = load(dir, "run.json"), *v;
    const char *key;
    if (json_is_object(run)) {
        fputs("<table>\n", f);
        json_object_foreach(run, key, v) {
            fputs("<tr><td>", f), ivl_html_text(f, key), fputs("</td><td>", f);
            ivl_report_value(f, v);
            fputs("</td></tr>\n", f);
        }
        fputs("</table>\n", f);
    } else {
        fputs("<p class=\"note\">No run.json: the run has not ended.</p>\n", f);
    }
    json_decref(run);
}

/* --- curves ----------------------------------------------------------------------------------------------------- */

enum { CURVES = 11 };
static const struct { const char *key, *title; int log_y;
} curves[CURVES] = {
    { "loss", "loss", 0 },
    { "grad_norm", "gradient norm", 1 },
    { "lr_image", "learning rate, image", 0 },
    { "logit_scale", "logit scale", 0 },
    { "samples_per_s", "samples per second", 0 },
    { "itm", "matching loss", 0 },
    { "itc", "contrastive loss of stage 2", 0 },
    { "itg", "generation loss", 0 },
    { "itm_accuracy", "matching accuracy", 0 },
    { "itg_accuracy", "next-token accuracy", 0 },
    { "utilisation", "share of the device's roof", 0 },
};

typedef struct series { double *x, *y[CURVES]; int n, cap; } series;

static bool add_point(series *s, const json_t *line)
{
    if (s->n == s->cap) {
        int cap = s->cap ? 2 * s->cap : 1024;
        double *x = realloc(s->x, (size_t)cap * sizeof *x);
        if (!x) return false;
        s->x = x;
        for (int c = 0; c < CURVES; c++) {
            double *y = realloc(s->y[c], (size_t)cap * sizeof *y);
            if (!y) return false;
            s->y[c] = y;
        }
        s->cap = cap;
    }
    s->x[s->n] = (double)json_integer_value(json_object_get(line, "step"));
    for (int c = 0; c < CURVES; c++) {
        const json_t *v = json_object_get(line, curves[c].key);
        s->y[c][s->n] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    s->n++;
    return true;
}

static void read_metrics(const char *dir, series *s)
{
    char *path = ivl_path_join(dir, "metrics.jsonl"), *text = NULL;
    if (path && ivl_read_file(path, 0, &text, NULL) == IVL_OK)
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
            json_t *j = json_loadb(line, (size_t)(end - line), 0, NULL);
            bool ok = !json_is_object(j) || add_point(s, j);
            json_decref(j);
            if (!ok) break;
        }
    free(text), free(path);
}

static bool any(const double *y, int n)
{
    for (int i = 0; i < n; i++)
        if (isfinite(y[i])) return true;
    return false;
}

static void charts(FILE *f, const char *dir)
{
    series s = { 0 };
    read_metrics(dir, &s);
    fputs("<h2>Curves</h2>\n<div class=\"charts\">\n", f);
    for (int c = 0; c < CURVES; c++)
        if (s.n > 1 && any(s.y[c], s.n)) ivl_svg_chart(f, curves[c].title, s.x, s.y[c], s.n, curves[c].log_y);
    fputs("</div>\n", f);
    if (s.n < 2) fputs("<p class=\"note\">No metrics yet.</p>\n", f);
    free(s.x);
    for (int c = 0; c < CURVES; c++) free(s.y[c]);
}

/* --- results ---------------------------------------------------------------------------------------------------- */

static int is_json(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".json");
}

/* Those of one file, each with its name. */
static void add_results(json_t *results, const char *dir, const char *name)
{
    json_t *j = load(dir, name), *r;
    char *path = ivl_path_join(dir, name);
    size_t i;
    json_array_foreach(json_object_get(j, "results"), i, r) {
        if (path) json_object_set_new(r, "file", json_string(path));
        json_array_append(results, r);
    }
    json_decref(j);
    free(path);
}

static void gather(json_t *results, const char *run_dir)
{
    struct dirent **entry = NULL;
    char *dir = ivl_path_join(run_dir, "eval");
    int n = dir ? scandir(dir, &entry, is_json, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        add_results(results, dir, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry), free(dir);
}

static void shown(FILE *f, const char *const *run, int n, const char *name, void (*show)(FILE *f, const json_t *j))
{
    for (int i = 0; i < n; i++) {
        json_t *j = load(run[i], name);
        show(f, j);
        json_decref(j);
    }
}

/* Each run has had its recipe and its metrics from the start. */
static ivl_status check_run(const char *dir)
{
    char *recipe = ivl_path_join(dir, "recipe.yaml"), *metrics = ivl_path_join(dir, "metrics.jsonl");
    bool enough = recipe && metrics, run = enough && (!access(recipe, R_OK) || !access(metrics, R_OK));
    free(recipe), free(metrics);
    IVL_CHECK(enough, IVL_ENOMEM, "out of memory");
    IVL_CHECK(run, IVL_EIO, "%s: no run here: neither recipe.yaml nor metrics.jsonl", dir);
    return IVL_OK;
}

ivl_status ivl_report_write(const char *const *run, int n, const char *html_path)
{
    ivl_out_file out = { 0 };
    for (int i = 0; i < n; i++) IVL_TRY(check_run(run[i]));
    IVL_TRY(ivl_out_open(html_path, &out));
    json_t *results = json_array();
    fputs(head, out.f);
    for (int i = 0; i < n; i++) {
        if (n > 1) fputs("<h1>", out.f), ivl_html_text(out.f, run[i]), fputs("</h1>\n", out.f);
        facts(out.f, run[i]);
        charts(out.f, run[i]);
        gather(results, run[i]);
    }
    if (n > 1) fputs("<h1>Results</h1>\n", out.f);
    ivl_report_results(out.f, results);
    shown(out.f, run, n, "search.json", ivl_report_searches);
    shown(out.f, run, n, "captions.json", ivl_report_captions);
    shown(out.f, run, n, "conversation.json", ivl_report_conversations);
    json_decref(results);
    fputs("</body></html>\n", out.f);
    return ivl_out_commit(&out);
}
