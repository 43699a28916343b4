#include "train/report.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/file.h"
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
    "img{width:72px;height:72px;object-fit:contain}.note{color:#666;font-size:.9em}\n</style></head><body>\n"
    "<h1>A training run of InternVL</h1>\n";

static json_t *load(const char *dir, const char *name)
{
    char *path = ivl_path_join(dir, name);
    json_t *j = path ? json_load_file(path, 0, NULL) : NULL;
    free(path);
    return j;
}

static void value(FILE *f, const json_t *v)
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
            value(f, v);
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

/* --- tables ----------------------------------------------------------------------------------------------------- */

static void percent(FILE *f, const json_t *metrics, const char *key)
{
    const json_t *v = json_object_get(metrics, key);
    if (json_is_number(v)) fprintf(f, "<td>%.1f</td>", 100 * json_number_value(v));
    else fputs("<td>-</td>", f);
}

static void result_row(FILE *f, const json_t *r)
{
    static const char *const keys[] = { "image_retrieval_recall@1",  "image_retrieval_recall@5",
                                        "image_retrieval_recall@10", "text_retrieval_recall@1",
                                        "text_retrieval_recall@5",   "text_retrieval_recall@10" };
    static const char *const facts_of[] = { "script", "language", "images", "texts" };
    fputs("<tr>", f);
    for (size_t i = 0; i < sizeof facts_of / sizeof *facts_of; i++) {
        fputs("<td>", f), value(f, json_object_get(r, facts_of[i])), fputs("</td>", f);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) percent(f, json_object_get(r, "metrics"), keys[i]);
    percent(f, r, "chance@1"), percent(f, r, "chance@10");
    fputs("</tr>\n", f);
}

static void results_of(FILE *f, const char *dir, const char *name)
{
    json_t *j = load(dir, name);
    const json_t *list = json_object_get(j, "results"), *r;
    size_t i;
    if (json_is_array(list)) {
        const char *data = json_string_value(json_object_get(json_array_get(list, 0), "dataset"));
        fputs("<h3>", f), ivl_html_text(f, name), fputs("</h3>\n<p class=\"note\">", f);
        ivl_html_text(f, data ? data : "");
        fputs("</p>\n<table><tr><th>script</th><th>language</th>"
              "<th>pictures</th><th>texts</th><th>text→picture "
              "R@1</th><th>R@5</th><th>R@10</th><th>picture→text R@1</th>"
              "<th>R@5</th><th>R@10</th><th>chance R@1</th><th>chance R@10</th></tr>\n",
              f);
        json_array_foreach(list, i, r) result_row(f, r);
        fputs("</table>\n", f);
    }
    json_decref(j);
}

static int is_json(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".json");
}

static void tables(FILE *f, const char *run_dir)
{
    struct dirent **entry = NULL;
    char *dir = ivl_path_join(run_dir, "eval");
    int n = dir ? scandir(dir, &entry, is_json, alphasort) : 0;
    fputs("<h2>Retrieval</h2>\n<p>Percent of queries with a right answer among the first 1, 5 or 10. Chance is what "
          "guessing gives on the same gallery; equal captions count as right.</p>\n", f);
    if (n <= 0) fputs("<p class=\"note\">No evaluation yet.</p>\n", f);
    for (int i = 0; i < n; i++) {
        results_of(f, dir, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry), free(dir);
}

/* --- searches --------------------------------------------------------------------------------------------------- */

static void hit(FILE *f, const json_t *h)
{
    const char *image = json_string_value(json_object_get(h, "image")),
               *text = json_string_value(json_object_get(h, "text"));
    fprintf(f, "<div class=\"hit%s\">", json_is_true(json_object_get(h, "right")) ? " right" : "");
    if (image && !strncmp(image, "data:image/", 11)) {
        fputs("<img alt=\"\" src=\"", f), ivl_html_text(f, image), fputs("\">", f);
    }
    fputs("<br>", f), ivl_html_text(f, text ? text : ""), fputs("</div>\n", f);
}

static void searches(FILE *f, const char *dir)
{
    json_t *j = load(dir, "search.json");
    const json_t *list = json_object_get(j, "queries"), *q, *h;
    size_t i, k;
    if (json_is_array(list)) {
        fputs("<h2>Searching the pictures</h2>\n<p>Queries the model never saw with these pictures; the best "
              "six pictures "
              "each, the right one framed.</p>\n",
              f);
        json_array_foreach(list, i, q) {
            const char *text = json_string_value(json_object_get(q, "query")),
                       *lang = json_string_value(json_object_get(q, "lang"));
            fputs("<div class=\"q\"><b>", f), ivl_html_text(f, text ? text : ""), fputs("<br><span class=\"note\">", f);
            ivl_html_text(f, lang ? lang : ""), fputs("</span></b>\n", f);
            json_array_foreach(json_object_get(q, "hits"), k, h) hit(f, h);
            fputs("</div>\n", f);
        }
    }
    json_decref(j);
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

ivl_status ivl_report_write(const char *run_dir, const char *html_path)
{
    ivl_out_file out = { 0 };
    IVL_TRY(check_run(run_dir));
    IVL_TRY(ivl_out_open(html_path, &out));
    fputs(head, out.f);
    facts(out.f, run_dir);
    charts(out.f, run_dir);
    tables(out.f, run_dir);
    searches(out.f, run_dir);
    fputs("</body></html>\n", out.f);
    return ivl_out_commit(&out);
}
