#include "train/report_parts.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "train/svg.h"

static const char *text_of(const json_t *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r, key));
    return s ? s : "";
}

static bool is_task(const json_t *r, const char *task) { return !strcmp(text_of(r, "task"), task); }

static bool has_task(const json_t *results, const char *task)
{
    const json_t *r;
    size_t i;
    json_array_foreach(results, i, r) {
        if (is_task(r, task)) return true;
    }
    return false;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The last two names of a model's path: "stage3/model". */
static const char *model_name(const char *path)
{
    const char *end = base_name(path);
    if (end == path) return path;
    for (end--; end > path && end[-1] != '/';) end--;
    return end;
}

static void cell(FILE *f, const json_t *v) { fputs("<td>", f), ivl_report_value(f, v), fputs("</td>", f); }

static void cell_text(FILE *f, const char *text) { fputs("<td>", f), ivl_html_text(f, text), fputs("</td>", f); }

/* 0.785 as 78.5, and its interval where `ci` has one. */
static void percent(FILE *f, const json_t *part, const char *key, const json_t *ci)
{
    const json_t *v = json_object_get(part, key), *range = json_object_get(ci, key);
    if (!json_is_number(v)) {
        fputs("<td>-</td>", f);
        return;
    }
    fprintf(f, "<td>%.1f", 100 * json_number_value(v));
    if (json_array_size(range) == 2)
        fprintf(f, " <span class=\"note\">%.0f-%.0f</span>", 100 * json_number_value(json_array_get(range, 0)),
                100 * json_number_value(json_array_get(range, 1)));
    fputs("</td>", f);
}

static void row_head(FILE *f, const char *const *head, size_t n)
{
    fputs("<table><tr>", f);
    for (size_t i = 0; i < n; i++) fputs("<th>", f), ivl_html_text(f, head[i]), fputs("</th>", f);
    fputs("</tr>\n", f);
}
#define HEAD(f, ...) \
    row_head(f, (const char *const[]){ __VA_ARGS__ }, sizeof(const char *[]){ __VA_ARGS__ } / sizeof(char *))

/* --- retrieval ------------------------------------------------------------------------------------- */

static void recalls(FILE *f, const json_t *r)
{
    static const char *const keys[] = { "image_retrieval_recall@1",  "image_retrieval_recall@5",
                                        "image_retrieval_recall@10", "text_retrieval_recall@1",
                                        "text_retrieval_recall@5",   "text_retrieval_recall@10" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) percent(f, json_object_get(r, "metrics"), keys[i], NULL);
    percent(f, r, "chance@1", NULL), percent(f, r, "chance@10", NULL);
    fputs("</tr>\n", f);
}

#define RECALLS "text→picture R@1", "R@5", "R@10", "picture→text R@1", "R@5", "R@10", "chance R@1", "chance R@10"

static bool is_whole(const json_t *r)
{
    return is_task(r, "zeroshot_retrieval") && !strcmp(text_of(r, "language"), "all") &&
           !strcmp(text_of(r, "script"), "all");
}

/* The same data with the other vectors. */
static const json_t *other_mode(const json_t *results, const json_t *r, const char *mode)
{
    const json_t *o;
    size_t i;
    json_array_foreach(results, i, o) {
        if (is_whole(o) && !strcmp(text_of(o, "model"), mode) &&
            !strcmp(text_of(o, "dataset"), text_of(r, "dataset")) &&
            !strcmp(text_of(o, "pretrained"), text_of(r, "pretrained")))
            return o;
    }
    return NULL;
}

static void mode_row(FILE *f, const json_t *r, const char *mode)
{
    fputs("<tr>", f);
    cell_text(f, base_name(text_of(r, "dataset"))), cell_text(f, mode), cell(f, json_object_get(r, "images"));
    recalls(f, r);
}

static void modes(FILE *f, const json_t *results)
{
    const json_t *g;
    size_t i;
    bool begun = false;
    json_array_foreach(results, i, g) {
        const json_t *c = is_whole(g) && !strcmp(text_of(g, "model"), "internvl_g")
                              ? other_mode(results, g, "internvl_c") : NULL;
        if (!c) continue;
        if (!begun) {
            fputs("<h3>InternVL-C and InternVL-G</h3>\n<p>C: the image encoder alone. G: also QLLaMA's queries, "
                  "which look "
                  "at the picture.</p>\n", f);
            HEAD(f, "data", "vectors", "pictures", RECALLS);
        }
        begun = true;
        mode_row(f, c, "C"), mode_row(f, g, "G");
    }
    if (begun) fputs("</table>\n", f);
}

static void retrieval(FILE *f, const json_t *results)
{
    const char *file = "";
    const json_t *r;
    size_t i;
    fputs("<h2>Retrieval</h2>\n<p>Percent of queries with a right answer among the first 1, 5 or 10. Chance is what "
          "guessing gives on the same gallery; equal captions count as right.</p>\n", f);
    modes(f, results);
    json_array_foreach(results, i, r) {
        if (!is_task(r, "zeroshot_retrieval")) continue;
        if (strcmp(file, text_of(r, "file"))) {
            if (*file) fputs("</table>\n", f);
            file = text_of(r, "file");
            fputs("<h3>", f), ivl_html_text(f, base_name(file)), fputs("</h3>\n<p class=\"note\">", f);
            ivl_html_text(f, text_of(r, "dataset")), fputs("</p>\n", f);
            HEAD(f, "script", "language", "pictures", "texts", RECALLS);
        }
        fputs("<tr>", f);
        cell(f, json_object_get(r, "script")), cell(f, json_object_get(r, "language"));
        cell(f, json_object_get(r, "images")), cell(f, json_object_get(r, "texts"));
        recalls(f, r);
    }
    fputs(*file ? "</table>\n" : "<p class=\"note\">No evaluation yet.</p>\n", f);
}

/* --- stage 2 --------------------------------------------------------------------------------------- */

static void matching(FILE *f, const json_t *results)
{
    static const char *const keys[] = { "acc", "acc_true_pairs", "acc_random_negatives", "acc_hard_negatives",
                                        "hard_ranked" };
    const json_t *r;
    size_t i;
    if (!has_task(results, "image_text_matching")) return;
    fputs("<h2>Do picture and text match?</h2>\n<p>Percent of right answers of the matching head, with 95 % intervals. "
          "<i>All</i>: half true pairs, half captions of other pictures; guessing gives 50. <i>Hard</i>: the wrong "
          "caption "
          "that is most like the picture. <i>Prefers its own</i>: the true caption scores above that one.</p>\n", f);
    HEAD(f, "data", "pictures", "all", "true pairs", "other captions", "hard", "prefers its own");
    json_array_foreach(results, i, r) {
        if (!is_task(r, "image_text_matching")) continue;
        fputs("<tr>", f);
        cell_text(f, base_name(text_of(r, "dataset"))), cell(f, json_object_get(r, "pictures"));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            percent(f, json_object_get(r, "metrics"), keys[k], json_object_get(r, "ci95"));
        fputs("</tr>\n", f);
    }
    fputs("</table>\n", f);
}

static void caption_row(FILE *f, const json_t *r, const char *who, const json_t *m)
{
    static const char *const keys[] = { "bleu1", "bleu4", "rouge_l" };
    if (!json_is_object(m)) return;
    fputs("<tr>", f);
    cell_text(f, base_name(text_of(r, "dataset"))), cell_text(f, who), cell(f, json_object_get(r, "pictures"));
    fprintf(f, "<td>%.3f</td>", json_number_value(json_object_get(m, "cider")));
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) percent(f, m, keys[k], NULL);
    fputs("</tr>\n", f);
}

static void captioning(FILE *f, const json_t *results)
{
    const json_t *r;
    size_t i;
    if (!has_task(results, "image_captioning")) return;
    fputs("<h2>Captions</h2>\n<p>Against the captions of the data, as the COCO evaluation scores them; the neighbour "
          "is the "
          "caption of the training picture that is most like each one.</p>\n", f);
    HEAD(f, "data", "captions of", "pictures", "CIDEr", "BLEU-1", "BLEU-4", "ROUGE-L");
    json_array_foreach(results, i, r) {
        if (!is_task(r, "image_captioning")) continue;
        caption_row(f, r, "the model", json_object_get(r, "metrics"));
        caption_row(f, r, "the neighbour", json_object_get(r, "neighbour"));
    }
    fputs("</table>\n", f);
}

/* --- stage 3 --------------------------------------------------------------------------------------- */

static const char *shown_as(const json_t *r)
{
    const char *blind = text_of(r, "blind");
    return !strcmp(blind, "grey") ? "a grey picture" : !strcmp(blind, "none") ? "no picture" : "the picture";
}

/* The first of its list. */
static bool begins_list(const json_t *results, size_t i)
{
    const json_t *r = json_array_get(results, i), *o;
    for (size_t k = 0; k < i; k++) {
        o = json_array_get(results, k);
        if (is_task(o, "pope") && !strcmp(text_of(o, "dataset"), text_of(r, "dataset"))) return false;
    }
    return true;
}

static void pope_row(FILE *f, const json_t *r, const char *who, const json_t *m)
{
    static const char *const keys[] = { "f1", "accuracy", "precision", "recall", "yes_ratio" };
    fputs("<tr>", f);
    cell_text(f, base_name(text_of(r, "dataset"))), cell_text(f, who);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) percent(f, m, keys[k], NULL);
    fputs("</tr>\n", f);
}

static void pope_list(FILE *f, const json_t *results, const json_t *first)
{
    const json_t *r;
    size_t i;
    char who[600];
    json_array_foreach(results, i, r) {
        if (!is_task(r, "pope") || strcmp(text_of(r, "dataset"), text_of(first, "dataset"))) continue;
        snprintf(who, sizeof who, "%.500s sees %s", model_name(text_of(r, "pretrained")), shown_as(r));
        pope_row(f, r, who, json_object_get(r, "metrics"));
    }
    pope_row(f, first, "a coin", json_object_get(first, "chance"));
    pope_row(f, first, "always yes", json_object_get(first, "always_yes"));
}

static void pope(FILE *f, const json_t *results)
{
    const json_t *r;
    size_t i;
    if (!has_task(results, "pope")) return;
    fputs("<h2>Does it see what is there? (POPE)</h2>\n<p>Yes/no questions about things in pictures, as many that "
          "are there "
          "as not; percent. The same questions without the picture tell what words alone give.</p>\n", f);
    HEAD(f, "list", "who", "F1", "accuracy", "precision", "recall", "share of yes");
    json_array_foreach(results, i, r) {
        if (is_task(r, "pope") && begins_list(results, i)) pope_list(f, results, r);
    }
    fputs("</table>\n", f);
}

static void exact(FILE *f, const json_t *results)
{
    static const char *const keys[] = { "all", "what", "how_many", "color", "where", "is_there", "relation" };
    const json_t *r;
    size_t i;
    char who[600];
    if (!has_task(results, "chat_exact_match")) return;
    fputs("<h2>Exact answers</h2>\n<p>Percent of questions whose answer is word for word the right one, each asked by "
          "itself.</p>\n", f);
    HEAD(f, "data", "who", "questions", "all", "what", "how many", "which colour", "where", "is there", "is it beside");
    json_array_foreach(results, i, r) {
        if (!is_task(r, "chat_exact_match")) continue;
        snprintf(who, sizeof who, "%.500s sees %s", model_name(text_of(r, "pretrained")), shown_as(r));
        fputs("<tr>", f);
        cell_text(f, base_name(text_of(r, "dataset"))), cell_text(f, who), cell(f, json_object_get(r, "questions"));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            percent(f, json_object_get(r, "metrics"), keys[k], NULL);
        fputs("</tr>\n", f);
    }
    fputs("</table>\n", f);
}

void ivl_report_results(FILE *f, const json_t *results)
{
    bool later = has_task(results, "pope") || has_task(results, "chat_exact_match");
    if (!later || has_task(results, "zeroshot_retrieval")) retrieval(f, results);
    matching(f, results);
    captioning(f, results);
    pope(f, results);
    exact(f, results);
}
