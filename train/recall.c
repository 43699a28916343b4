#include "train/recall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const int ivl_recall_k[IVL_RECALL_KS] = { 1, 5, 10 };

static float dot(const float *a, const float *b, int n)
{
    float s[8] = { 0 };
    int i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) s[j] += a[i + j] * b[i + j];
    for (; i < n; i++) s[0] += a[i] * b[i];
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

/* Probability that k of `gallery` drawn without looking hold one of `positives`. */
static double chance(int64_t gallery, int64_t positives, int k)
{
    double miss = 1;
    for (int i = 0; i < k; i++) {
        double left = (double)(gallery - i);
        if (left <= 0 || (double)(gallery - positives - i) <= 0) return 1;
        miss *= (double)(gallery - positives - i) / left;
    }
    return 1 - miss;
}

/* One query's scores over the gallery; right[g] says which are positives. */
static void add_query(ivl_recall *r, const float *score, const bool *right, int gallery)
{
    float best = -INFINITY;
    int64_t positives = 0, before = 0;
    for (int g = 0; g < gallery; g++)
        if (right[g]) positives++, best = score[g] > best ? score[g] : best;
    if (!positives) return;
    for (int g = 0; g < gallery; g++) before += !right[g] && !(score[g] < best);
    for (int k = 0; k < IVL_RECALL_KS; k++) {
        r->at[k] += before < ivl_recall_k[k];
        r->chance[k] += chance(gallery, positives, ivl_recall_k[k]);
    }
    r->queries++;
}

void ivl_share_interval(double p, int64_t n_queries, double *low_p, double *high_p)
{
    double n = (double)n_queries, z = 1.959964;
    double mid = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    *low_p = mid > half ? mid - half : 0, *high_p = mid + half < 1 ? mid + half : 1;
}

static void finish(ivl_recall *r, int gallery)
{
    r->gallery = gallery;
    for (int k = 0; k < IVL_RECALL_KS && r->queries; k++) {
        r->at[k] /= (double)r->queries;
        r->chance[k] /= (double)r->queries;
        ivl_share_interval(r->at[k], r->queries, &r->low[k], &r->high[k]);
    }
}

/* by_class lists the texts sorted by wording; first[c] .. first[c+1] are those of wording c. */
typedef struct wording { int32_t *first, *texts; int n; } wording;

static ivl_status sort_wordings(const ivl_pairs *p, wording *w)
{
    int n = 0;
    for (int j = 0; j < p->n_text; j++)
        if (p->same_text[j] >= n) n = p->same_text[j] + 1;
    *w = (wording){ calloc((size_t)n + 2, sizeof *w->first), malloc((size_t)(p->n_text + 1) * sizeof *w->texts), n };
    IVL_CHECK(w->first && w->texts, IVL_ENOMEM, "out of memory");
    for (int j = 0; j < p->n_text; j++) w->first[p->same_text[j] + 2]++;
    for (int c = 0; c < n; c++) w->first[c + 2] += w->first[c + 1];
    for (int j = 0; j < p->n_text; j++) w->texts[w->first[p->same_text[j] + 1]++] = j;
    return IVL_OK;
}

static void wording_free(wording *w) { free(w->first), free(w->texts); }

ivl_status ivl_recall_text_to_image(const ivl_pairs *p, ivl_recall *r_p)
{
    wording w = { 0 };
    ivl_recall r = { 0 };
    float *score = malloc((size_t)(p->n_image + 1) * sizeof *score);
    bool *right = malloc((size_t)p->n_image + 1);
    ivl_status s = score && right ? sort_wordings(p, &w) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int j = 0; j < p->n_text && s == IVL_OK; j++) {
        int c = p->same_text[j];
        memset(right, 0, (size_t)p->n_image);
        for (int i = w.first[c]; i < w.first[c + 1]; i++) right[p->image_of[w.texts[i]]] = true;
        for (int i = 0; i < p->n_image; i++)
            score[i] = dot(p->text + (int64_t)j * p->dim, p->image + (int64_t)i * p->dim, p->dim);
        add_query(&r, score, right, p->n_image);
    }
    finish(&r, p->n_image);
    if (s == IVL_OK) *r_p = r;
    wording_free(&w);
    free(score), free(right);
    return s;
}

ivl_status ivl_recall_image_to_text(const ivl_pairs *p, ivl_recall *r_p)
{
    wording w = { 0 };
    ivl_recall r = { 0 };
    float *score = malloc((size_t)(p->n_text + 1) * sizeof *score);
    bool *right = malloc((size_t)p->n_text + 1);
    ivl_status s = score && right ? sort_wordings(p, &w) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < p->n_image && s == IVL_OK; i++) {
        memset(right, 0, (size_t)p->n_text);
        for (int j = 0; j < p->n_text; j++) {
            int c = p->same_text[j];
            for (int t = w.first[c]; p->image_of[j] == i && t < w.first[c + 1]; t++) right[w.texts[t]] = true;
            score[j] = dot(p->image + (int64_t)i * p->dim, p->text + (int64_t)j * p->dim, p->dim);
        }
        add_query(&r, score, right, p->n_text);
    }
    finish(&r, p->n_text);
    if (s == IVL_OK) *r_p = r;
    wording_free(&w);
    free(score), free(right);
    return s;
}

ivl_status ivl_zeroshot(const float *image, int n_image, const float *class_vector, int n_class, int dim,
                        const int32_t *label, ivl_accuracy *a_p)
{
    ivl_accuracy a = { .n = n_image };
    int64_t *hit = calloc((size_t)n_class * 2 + 2, sizeof *hit), *seen = hit ? hit + n_class : NULL;
    float *score = malloc((size_t)(n_class + 1) * sizeof *score);
    if (!hit || !score) {
        free(hit), free(score);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    for (int i = 0; i < n_image; i++) {
        int before = 0, want = label[i];
        for (int c = 0; c < n_class; c++)
            score[c] = dot(image + (int64_t)i * dim, class_vector + (int64_t)c * dim, dim);
        for (int c = 0; c < n_class; c++) before += c != want && !(score[c] < score[want]);
        a.top1 += before < 1, a.top5 += before < 5;
        hit[want] += before < 1, seen[want]++;
    }
    int classes = 0;
    for (int c = 0; c < n_class; c++)
        if (seen[c]) classes++, a.mean_per_class += (double)hit[c] / (double)seen[c];
    if (n_image) a.top1 /= n_image, a.top5 /= n_image, a.mean_per_class /= classes;
    free(hit), free(score);
    *a_p = a;
    return IVL_OK;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = *(const char *const *const *)a, *const *y = *(const char *const *const *)b;
    int c = strcmp(*x, *y);
    return c ? c : (x > y) - (x < y);
}

ivl_status ivl_same_texts(const char *const *text, int n, int32_t *same)
{
    const char *const **order = malloc((size_t)(n + 1) * sizeof *order);
    IVL_CHECK(order, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < n; i++) order[i] = &text[i];
    qsort(order, (size_t)n, sizeof *order, by_text);
    int32_t number = -1;
    for (int i = 0; i < n; i++) {
        if (i == 0 || strcmp(*order[i], *order[i - 1])) number++;
        same[order[i] - text] = number;
    }
    free(order);
    return IVL_OK;
}
