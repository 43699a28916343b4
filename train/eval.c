#include "train/eval.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "train/eval_search.h"
#include "runtime/json_save.h"
#include "train/pictures.h"
#include "train/recall.h"

enum { CHUNK = IVL_PICTURES };

static void progress(const ivl_eval_options *o, const char *what, int64_t done, int64_t total)
{
    if (o->progress) o->progress(o->ctx, what, done, total);
}

static ivl_status embed_chunk(ivl_embedder *e, const ivl_dataset *ds, const int32_t *record, int64_t first, int n,
                              float *out)
{
    ivl_pictures p;
    IVL_TRY(ivl_pictures_read(ds, record ? record + first : NULL, first, n, &p));
    ivl_status s = ivl_embed_pictures(e, p.pic, n, out);
    ivl_pictures_free(&p);
    return s;
}

ivl_status ivl_embed_records(ivl_embedder *e, const ivl_dataset *ds, const int32_t *record, int64_t n,
                             const ivl_eval_options *o, float *out)
{
    int64_t dim = ivl_embedder_dim(e);
    for (int64_t i = 0; i < n; i += CHUNK) {
        progress(o, "pictures", i, n);
        IVL_TRY(embed_chunk(e, ds, record, i, n - i < CHUNK ? (int)(n - i) : CHUNK, out + i * dim));
    }
    progress(o, "pictures", n, n);
    return IVL_OK;
}

ivl_status ivl_embed_dataset(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, float *out)
{
    return ivl_embed_records(e, ds, NULL, ivl_dataset_count(ds), o, out);
}

ivl_status ivl_embed_captions(ivl_embedder *e, const ivl_captions *c, const int32_t *which, int n,
                              const ivl_eval_options *o, float *out)
{
    int64_t dim = ivl_embedder_dim(e);
    for (int j = 0; j < n; j += CHUNK) {
        const char *text[CHUNK];
        int m = n - j < CHUNK ? n - j : CHUNK;
        progress(o, "texts", j, n);
        for (int k = 0; k < m; k++) text[k] = c->text[which ? which[j + k] : j + k];
        IVL_TRY(ivl_embed_texts(e, text, m, out + j * dim));
    }
    progress(o, "texts", n, n);
    return IVL_OK;
}

/* --- retrieval ------------------------------------------------------------------------------------ */

typedef struct space { const ivl_captions *c; const float *image, *text; int n_image, dim; } space;

/* Which captions; NULL: all. */
typedef struct choice { const char *lang, *script; } choice;

static bool chosen(const ivl_captions *c, int j, choice which)
{
    return (!which.lang || !strcmp(which.lang, c->lang[j])) && (!which.script || !strcmp(which.script, c->script[j]));
}

/* Some captions as pairs over the pictures that have one. */
typedef struct subset {
    float *image, *text;
    int32_t *image_of, *same, *number;
    const char **words;
    int n_image, n;
} subset;

static void subset_free(subset *u)
{
    free(u->image), free(u->text), free(u->image_of), free(u->same), free(u->number), free(u->words);
}

static ivl_status take_subset(const space *v, choice which, subset *u)
{
    size_t row = (size_t)v->dim * sizeof(float), n = (size_t)v->c->n + 1, m = (size_t)v->n_image + 1;
    *u = (subset){ malloc(m * row),
                   malloc(n * row),
                   malloc(n * 4),
                   malloc(n * 4),
                   malloc(m * 4),
                   malloc(n * sizeof(char *)),
                   0,
                   0 };
    IVL_CHECK(u->image && u->text && u->image_of && u->same && u->number && u->words, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < v->n_image; i++) u->number[i] = -1;
    for (int j = 0; j < v->c->n; j++) {
        int32_t i = v->c->image_of[j];
        if (!chosen(v->c, j, which)) continue;
        if (u->number[i] < 0) {
            memcpy(u->image + (int64_t)u->n_image * v->dim, v->image + (int64_t)i * v->dim, row);
            u->number[i] = u->n_image++;
        }
        memcpy(u->text + (int64_t)u->n * v->dim, v->text + (int64_t)j * v->dim, row);
        u->image_of[u->n] = u->number[i];
        u->words[u->n++] = v->c->text[j];
    }
    return ivl_same_texts(u->words, u->n, u->same);
}

static void set_recalls(json_t *metrics, const char *what, const ivl_recall *r)
{
    char key[64];
    for (int k = 0; k < IVL_RECALL_KS; k++) {
        snprintf(key, sizeof key, "%s_retrieval_recall@%d", what, ivl_recall_k[k]);
        json_object_set_new(metrics, key, json_real(r->at[k]));
    }
}

static json_t *result(const ivl_eval_options *o, choice which, const subset *u, const ivl_recall *t2i,
                      const ivl_recall *i2t)
{
    json_t *metrics = json_object();
    set_recalls(metrics, "image", t2i), set_recalls(metrics, "text", i2t);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:[ff], s:[ff], "
                     "s:[ff], s:[ff]}",
                     "dataset", o->data, "model", o->queries ? "internvl_g" : "internvl_c", "pretrained", o->model,
                     "task", "zeroshot_retrieval", "language", which.lang ? which.lang : "all", "script",
                     which.script ? which.script : "all", "images", u->n_image, "texts", u->n, "metrics", metrics,
                     "chance@1", t2i->chance[0], "chance@5", t2i->chance[1], "chance@10", t2i->chance[2],
                     "text_chance@1", i2t->chance[0], "text_chance@5", i2t->chance[1], "text_chance@10", i2t->chance[2],
                     "image_ci95@1", t2i->low[0], t2i->high[0], "image_ci95@10", t2i->low[2], t2i->high[2],
                     "text_ci95@1", i2t->low[0], i2t->high[0], "text_ci95@10", i2t->low[2], i2t->high[2]);
}

static ivl_status add_result(const space *v, const ivl_eval_options *o, choice which, json_t *list)
{
    subset u = { 0 };
    ivl_recall t2i, i2t;
    ivl_status s = take_subset(v, which, &u);
    ivl_pairs p = { u.image, u.text, u.n_image, u.n, v->dim, u.image_of, u.same };
    if (s == IVL_OK) s = ivl_recall_text_to_image(&p, &t2i);
    if (s == IVL_OK) s = ivl_recall_image_to_text(&p, &i2t);
    if (s == IVL_OK && json_array_append_new(list, result(o, which, &u, &t2i, &i2t)))
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    subset_free(&u);
    return s;
}

/* No earlier caption is of that choice. */
static bool is_first(const ivl_captions *c, int j, choice which)
{
    for (int i = 0; i < j; i++)
        if (chosen(c, i, which)) return false;
    return true;
}

/* All captions; then each script, then each language, in order of appearance. */
static ivl_status add_results(const space *v, const ivl_eval_options *o, json_t *list)
{
    const ivl_captions *c = v->c;
    IVL_TRY(add_result(v, o, (choice){ 0 }, list));
    for (int j = 0; j < c->n; j++) {
        choice script = { NULL, c->script[j] };
        if (is_first(c, j, script)) IVL_TRY(add_result(v, o, script, list));
    }
    for (int j = 0; j < c->n; j++) {
        choice lang = { c->lang[j], c->script[j] };
        if (!c->lang[j][0] || !is_first(c, j, lang)) continue;
        progress(o, c->lang[j], j, c->n);
        IVL_TRY(add_result(v, o, lang, list));
    }
    return IVL_OK;
}

ivl_status ivl_eval_retrieval(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, const char *out_json)
{
    ivl_captions c = { 0 };
    int64_t dim = ivl_embedder_dim(e), n = ivl_dataset_count(ds);
    ivl_status s = ivl_captions_read(ds, o->data, o->languages, &c);
    float *image = malloc((size_t)(n * dim + 1) * sizeof *image),
          *text = malloc((size_t)(c.n * dim + 1) * sizeof *text);
    json_t *list = json_array();
    if (s == IVL_OK && (!image || !text || !list)) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = ivl_embed_dataset(e, ds, o, image);
    if (s == IVL_OK) s = ivl_embed_captions(e, &c, NULL, c.n, o, text);
    space v = { &c, image, text, (int)n, (int)dim };
    if (s == IVL_OK) s = add_results(&v, o, list);
    if (s == IVL_OK) s = ivl_json_save(json_pack("{s:O}", "results", list), out_json);
    if (s == IVL_OK && o->examples) s = ivl_search_examples(ds, &c, image, text, (int)dim, o);
    json_decref(list);
    free(image), free(text);
    ivl_captions_free(&c);
    return s;
}
