#include "train/eval_search.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/json_save.h"
#include "train/pictures.h"

enum { HITS = 6 };

/* Its caption in that language, else in English, else the first. */
static const char *caption_in(const ivl_sample *rec, const char *lang)
{
    const char *english = NULL;
    for (int j = 0; j < rec->n_captions; j++) {
        const char *tag = rec->caption[j].lang ? rec->caption[j].lang : "";
        if (!strcmp(tag, lang)) return rec->caption[j].text;
        if (!english && !strcmp(tag, "en")) english = rec->caption[j].text;
    }
    return english ? english : rec->n_captions ? rec->caption[0].text : "";
}

static json_t *hit(const ivl_dataset *ds, int64_t i, const char *lang, double score, bool right)
{
    ivl_sample rec = { 0 };
    if (ivl_dataset_read(ds, i, &rec) != IVL_OK) return NULL;
    char *url = ivl_picture_url(rec.image, rec.image_bytes);
    json_t *h =
        json_pack("{s:s, s:s, s:f, s:b, s:s*}", "key", rec.key, "text", caption_in(&rec, lang), "score", score,
                  "right", right, "image", url);
    free(url);
    ivl_sample_free(&rec);
    return h;
}

/* The six best pictures for caption j. */
static json_t *query(const ivl_dataset *ds, const ivl_captions *c, int j, const float *image,
                     const float *text, int dim)
{
    int64_t best[HITS];
    double score[HITS];
    int n = 0;
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
        double s = 0;
        for (int k = 0; k < dim; k++) s += (double)image[i * dim + k] * text[(int64_t)j * dim + k];
        int at = n < HITS ? n++ : HITS;
        while (at > 0 && score[at - 1] < s) {
            if (at < HITS) score[at] = score[at - 1], best[at] = best[at - 1];
            at--;
        }
        if (at < HITS) score[at] = s, best[at] = i;
    }
    json_t *hits = json_array();
    for (int h = 0; h < n; h++) {
        bool right = false;
        for (int t = 0; t < c->n && !right; t++) right = c->image_of[t] == best[h] && !strcmp(c->text[t], c->text[j]);
        json_array_append_new(hits, hit(ds, best[h], c->lang[j], score[h], right));
    }
    return json_pack("{s:s, s:s, s:o}", "query", c->text[j], "lang", c->lang[j], "hits", hits);
}

ivl_status ivl_search_examples(const ivl_dataset *ds, const ivl_captions *c, const float *image,
                               const float *text, int dim, const ivl_eval_options *o)
{
    json_t *list = json_array();
    int n = o->n_examples < c->n ? o->n_examples : c->n;
    for (int i = 0; i < n; i++) /* a stride that is no divisor walks through records and languages */
        json_array_append_new(list, query(ds, c, (int)((int64_t)i * 7919 % c->n), image, text, dim));
    return ivl_json_save(json_pack("{s:o}", "queries", list), o->examples);
}
