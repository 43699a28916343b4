/* Captions of a data set's pictures beside the records' own, with the nearest neighbour's caption as baseline. */
#include <stdlib.h>
#include <string.h>

#include "train/caption_results.h"
#include "train/caption_score.h"
#include "train/eval.h"
#include "runtime/json_save.h"
#include "train/pictures.h"
#include "train/ptb.h"

typedef struct captioning {
    const ivl_eval_captions *k;
    const ivl_eval_options  *o;
    const ivl_dataset       *ds;
    ivl_captions c;
    int      n, references, missing;
    int32_t *record;  /* [n] pictures, in record order */
    char   **said, **near; /* [n] captions; near[0] NULL: no baseline */
    char   **tokens;  /* of every reference */
    double  *each;    /* [n] CIDEr of what was said */
} captioning;

static void progress(const captioning *m, const char *what, int64_t done, int64_t total)
{
    if (m->o->progress) m->o->progress(m->o->ctx, what, done, total);
}

/* --- who says what --------------------------------------------------------------------------------- */

static ivl_status write_captions(captioning *m, ivl_captioner *c)
{
    for (int i = 0, most = ivl_captioner_batch(c); i < m->n; i += most) {
        ivl_pictures p;
        int n = m->n - i < most ? m->n - i : most;
        progress(m, "captions", i, m->n);
        IVL_TRY(ivl_pictures_read(m->ds, m->record + i, 0, n, &p));
        ivl_status s = ivl_captioner_run(c, p.pic, n, m->said + i);
        ivl_pictures_free(&p);
        IVL_TRY(s);
    }
    progress(m, "captions", m->n, m->n);
    return IVL_OK;
}

/* Pictures that the file says nothing about do not count. */
static ivl_status read_captions(captioning *m)
{
    int n = 0;
    IVL_TRY(ivl_caption_results_read(m->k->results, m->ds, m->record, m->n, m->said));
    for (int i = 0; i < m->n; i++) {
        if (!m->said[i]) continue;
        char *text = m->said[i];
        m->said[i] = NULL, m->said[n] = text, m->record[n++] = m->record[i];
    }
    m->missing = m->n - n, m->n = n;
    IVL_CHECK(n > 0, IVL_EFORMAT, "%s: no captions of pictures of the data", m->k->results);
    return IVL_OK;
}

static ivl_status say(captioning *m, const char *model_dir, ivl_device *dev)
{
    ivl_captioner *c = NULL;
    ivl_captioner_options o = m->k->captioner;
    if (m->k->results) return read_captions(m);
    if (o.batch > IVL_PICTURES) o.batch = IVL_PICTURES;
    IVL_TRY(ivl_captioner_open(model_dir, dev, &o, &c));
    ivl_status s = write_captions(m, c);
    ivl_captioner_close(c);
    return s;
}

/* --- the baseline ---------------------------------------------------------------------------------- */

/* Vectors of both sides; near[i] is the first caption of the picture most like it. */
static ivl_status nearest(captioning *m, ivl_embedder *e, const ivl_dataset *there, const ivl_captions *c,
                          const int32_t *record, int n)
{
    int64_t dim = ivl_embedder_dim(e);
    float *mine = malloc((size_t)(m->n * dim) * sizeof *mine), *other = malloc((size_t)(n * dim) * sizeof *other);
    ivl_status s = mine && other ? ivl_embed_records(e, m->ds, m->record, m->n, m->o, mine)
                                 : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = ivl_embed_records(e, there, record, n, m->o, other);
    for (int i = 0; i < m->n && s == IVL_OK; i++) {
        double most = -2;
        int best = 0;
        for (int j = 0; j < n; j++) {
            double like = 0;
            for (int64_t d = 0; d < dim; d++) like += (double)mine[i * dim + d] * other[j * dim + d];
            if (like > most) most = like, best = j;
        }
        m->near[i] = strdup(c->text[c->first[record[best]]]);
        if (!m->near[i]) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    free(mine), free(other);
    return s;
}

static ivl_status find_neighbours(captioning *m, const char *model_dir, ivl_device *dev)
{
    ivl_dataset *ds = NULL;
    ivl_captions c = { 0 };
    ivl_embedder *e = NULL;
    int32_t *record = NULL;
    int n = 0;
    if (!m->k->neighbours) return IVL_OK;
    ivl_status s = ivl_dataset_open(m->k->neighbours, &ds);
    if (s == IVL_OK) s = ivl_captions_read(ds, m->k->neighbours, m->o->languages, &c);
    if (s == IVL_OK) s = ivl_captions_draw(&c, 0, 0, &record, &n);
    if (s == IVL_OK) s = ivl_embedder_open(model_dir, dev, &m->k->embedder, &e);
    if (s == IVL_OK) s = nearest(m, e, ds, &c, record, n);
    ivl_embedder_close(e);
    ivl_captions_free(&c);
    ivl_dataset_close(ds);
    free(record);
    return s;
}

/* --- scores ---------------------------------------------------------------------------------------- */

static ivl_status tokenize_references(captioning *m)
{
    m->tokens = calloc((size_t)m->c.n, sizeof *m->tokens);
    IVL_CHECK(m->tokens, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < m->n; i++)
        for (int32_t j = m->c.first[m->record[i]]; j < m->c.first[m->record[i] + 1]; j++, m->references++)
            IVL_TRY(ivl_ptb_tokenize(m->c.text[j], &m->tokens[j]));
    return IVL_OK;
}

static json_t *metrics_of(const ivl_caption_scores *s)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "cider", s->cider, "cider_plain", s->cider_plain, "bleu1",
                     s->bleu[0], "bleu2", s->bleu[1], "bleu3", s->bleu[2], "bleu4", s->bleu[3], "rouge_l", s->rouge_l);
}

static ivl_status score(const captioning *m, char *const *text, double *each, json_t **metrics_p)
{
    ivl_caption_case *one = calloc((size_t)m->n, sizeof *one);
    char **mine = calloc((size_t)m->n, sizeof *mine);
    ivl_caption_scores scores;
    ivl_status s = one && mine ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < m->n && s == IVL_OK; i++) {
        int32_t first = m->c.first[m->record[i]], end = m->c.first[m->record[i] + 1];
        s = ivl_ptb_tokenize(text[i], &mine[i]);
        one[i] = (ivl_caption_case){ mine[i], (const char *const *)m->tokens + first, end - first };
    }
    if (s == IVL_OK) s = ivl_caption_score(one, m->n, &scores, each);
    for (int i = 0; mine && i < m->n; i++) free(mine[i]);
    free(mine), free(one);
    if (s == IVL_OK) *metrics_p = metrics_of(&scores);
    return s;
}

static ivl_status save_scores(captioning *m, const char *out_json)
{
    json_t *metrics = NULL, *base = NULL;
    IVL_TRY(tokenize_references(m));
    IVL_TRY(score(m, m->said, m->each, &metrics));
    ivl_status s = m->near[0] ? score(m, m->near, NULL, &base) : IVL_OK;
    if (s != IVL_OK) {
        json_decref(metrics);
        return s;
    }
    json_t *r = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:o}", "dataset", m->o->data, "pretrained",
                          m->k->results ? m->k->results : m->o->model, "task", "image_captioning", "language",
                          m->o->languages ? m->o->languages : "all", "pictures", m->n, "without_caption", m->missing,
                          "references", m->references, "metrics", metrics);
    if (r && !m->k->results) json_object_set_new(r, "beams", json_integer(m->k->captioner.decode.beams));
    if (r && base) {
        json_object_set_new(r, "neighbour", base);
        json_object_set_new(r, "neighbours", json_string(m->k->neighbours));
    }
    return ivl_json_save(json_pack("{s:[o]}", "results", r), out_json);
}

/* --- examples -------------------------------------------------------------------------------------- */

static json_t *example(const captioning *m, int i)
{
    ivl_sample rec = { 0 };
    json_t *references = json_array();
    int32_t r = m->record[i];
    for (int32_t j = m->c.first[r]; j < m->c.first[r + 1]; j++)
        json_array_append_new(references, json_string(m->c.text[j]));
    if (ivl_dataset_read(m->ds, r, &rec) != IVL_OK) {
        json_decref(references);
        return NULL;
    }
    char *url = ivl_picture_url(rec.image, rec.image_bytes);
    json_t *e = json_pack("{s:s, s:s, s:o, s:f, s:s*, s:s*}", "key", ivl_dataset_key(m->ds, r), "text", m->said[i],
                          "references", references, "cider", m->each[i], "neighbour", m->near[i], "image", url);
    free(url);
    ivl_sample_free(&rec);
    return e;
}

static ivl_status save_examples(const captioning *m)
{
    json_t *list = json_array();
    int n = m->o->n_examples < m->n ? m->o->n_examples : m->n;
    if (!m->o->examples) return json_decref(list), IVL_OK;
    for (int i = 0; i < n; i++) json_array_append_new(list, example(m, (int)((int64_t)i * m->n / n)));
    return ivl_json_save(json_pack("{s:o}", "captions", list), m->o->examples);
}

static ivl_status run(captioning *m, const char *model_dir, ivl_device *dev, const char *out_json)
{
    IVL_TRY(ivl_captions_read(m->ds, m->o->data, m->o->languages, &m->c));
    IVL_TRY(ivl_captions_draw(&m->c, m->o->most, m->o->seed, &m->record, &m->n));
    m->said = calloc((size_t)m->n, sizeof *m->said), m->near = calloc((size_t)m->n, sizeof *m->near);
    m->each = calloc((size_t)m->n, sizeof *m->each);
    IVL_CHECK(m->said && m->near && m->each, IVL_ENOMEM, "out of memory");
    IVL_TRY(say(m, model_dir, dev));
    IVL_TRY(find_neighbours(m, model_dir, dev));
    if (m->k->write) IVL_TRY(ivl_caption_results_write(m->k->write, m->ds, m->record, m->n, m->said));
    IVL_TRY(save_scores(m, out_json));
    return save_examples(m);
}

ivl_status ivl_eval_caption(const char *model_dir, ivl_device *dev, const ivl_eval_captions *k, const ivl_dataset *ds,
                            const ivl_eval_options *o, const char *out_json)
{
    captioning m = { .k = k, .o = o, .ds = ds };
    ivl_status s = run(&m, model_dir, dev, out_json);
    for (int i = 0; i < m.n + m.missing; i++) {
        if (m.said) free(m.said[i]);
        if (m.near) free(m.near[i]);
    }
    for (int j = 0; m.tokens && j < m.c.n; j++) free(m.tokens[j]);
    ivl_captions_free(&m.c);
    free(m.record), free(m.said), free(m.near), free(m.tokens), free(m.each);
    return s;
}
