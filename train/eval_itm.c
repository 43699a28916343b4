/* Image-text matching: which captions are shown with which pictures, and how often the head is right. */
#include <stdlib.h>
#include <string.h>

#include "data/sample.h"
#include "train/eval.h"
#include "runtime/json_save.h"
#include "train/matcher.h"
#include "train/pictures.h"
#include "train/recall.h"

enum { OWN, RANDOM, HARD, KINDS };

typedef struct matching {
    const ivl_eval_options *o;
    const ivl_dataset      *ds;
    ivl_captions            c;
    int      n, n_pool;
    int32_t *record;  /* [n]: pictures, in record order */
    int32_t *pool;    /* [n_pool]: their captions */
    int32_t *caption; /* [n, KINDS] */
    float   *image, *text, *score; /* [n, dim], [n_pool, dim], [n, KINDS] */
} matching;

static void progress(const matching *m, const char *what, int64_t done, int64_t total)
{
    if (m->o->progress) m->o->progress(m->o->ctx, what, done, total);
}

/* Pictures that have a caption, at most o->most of them, and their captions. */
static ivl_status choose_pictures(matching *m)
{
    IVL_TRY(ivl_captions_draw(&m->c, m->o->most, m->o->seed, &m->record, &m->n));
    m->pool = malloc((size_t)m->c.n * sizeof *m->pool);
    IVL_CHECK(m->pool, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < m->n; i++)
        for (int32_t j = m->c.first[m->record[i]]; j < m->c.first[m->record[i] + 1]; j++) m->pool[m->n_pool++] = j;
    return IVL_OK;
}

static ivl_status embed_all(matching *m, ivl_embedder *e)
{
    size_t dim = (size_t)ivl_embedder_dim(e);
    m->image = malloc((size_t)m->n * dim * sizeof(float)), m->text = malloc((size_t)m->n_pool * dim * sizeof(float));
    IVL_CHECK(m->image && m->text, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_embed_records(e, m->ds, m->record, m->n, m->o, m->image));
    return ivl_embed_captions(e, &m->c, m->pool, m->n_pool, m->o, m->text);
}

/* Caption j is wrong for picture i and, if `strict`, in the language of its own. */
static bool is_wrong(const matching *m, int i, int32_t j, bool strict)
{
    const ivl_captions *c = &m->c;
    int32_t mine = m->record[i], other = c->image_of[j];
    if (mine == other || (strict && strcmp(c->lang[j], c->lang[m->caption[i * KINDS + OWN]]))) return false;
    return !ivl_captions_alike(c, mine, other);
}

static int32_t draw_wrong(const matching *m, int i, bool strict)
{
    ivl_rng r = ivl_rng_make(m->o->seed, "itm:random");
    for (int64_t t = 0; t < m->n_pool; t++) {
        int32_t j = m->pool[ivl_permute(r, (uint64_t)m->record[i], m->n_pool, t)];
        if (is_wrong(m, i, j, strict)) return j;
    }
    return -1;
}

static int32_t nearest_wrong(const matching *m, int i, int dim, bool strict)
{
    int32_t best = -1;
    double most = 0;
    const float *a = m->image + (size_t)i * (size_t)dim;
    for (int j = 0; j < m->n_pool; j++) {
        const float *b = m->text + (size_t)j * (size_t)dim;
        double like = 0;
        for (int k = 0; k < dim; k++) like += (double)a[k] * b[k];
        if ((best < 0 || like > most) && is_wrong(m, i, m->pool[j], strict)) best = m->pool[j], most = like;
    }
    return best;
}

static ivl_status choose_captions(matching *m, int dim)
{
    ivl_rng r = ivl_rng_make(m->o->seed, "itm:own");
    m->caption = malloc((size_t)m->n * KINDS * sizeof *m->caption);
    m->score = malloc((size_t)m->n * KINDS * sizeof *m->score);
    IVL_CHECK(m->caption && m->score, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < m->n; i++) {
        int32_t *mine = m->caption + i * KINDS, k = m->record[i], first = m->c.first[k];
        mine[OWN] = first + (int32_t)ivl_rng_below(r, (uint32_t)k, 0, 0, (uint64_t)(m->c.first[k + 1] - first));
        bool strict = true;
        mine[RANDOM] = draw_wrong(m, i, strict);
        if (mine[RANDOM] < 0) mine[RANDOM] = draw_wrong(m, i, strict = false);
        IVL_CHECK(mine[RANDOM] >= 0, IVL_EFORMAT,
                  "%s: there is no wrong caption for picture %s: all the others are of its group or share a caption",
                  m->o->data, ivl_dataset_key(m->ds, k));
        mine[HARD] = nearest_wrong(m, i, dim, strict);
    }
    return IVL_OK;
}

static ivl_status match_all(matching *m, ivl_matcher *head)
{
    int most = ivl_matcher_batch(head);
    const char *text[IVL_PICTURES * KINDS];
    for (int i = 0; i < m->n; i += most) {
        ivl_pictures p;
        int n = m->n - i < most ? m->n - i : most;
        progress(m, "matching", i, m->n);
        for (int k = 0; k < n * KINDS; k++) text[k] = m->c.text[m->caption[i * KINDS + k]];
        IVL_TRY(ivl_pictures_read(m->ds, m->record + i, 0, n, &p));
        ivl_status s = ivl_matcher_run(head, p.pic, text, n, m->score + i * KINDS);
        ivl_pictures_free(&p);
        IVL_TRY(s);
    }
    progress(m, "matching", m->n, m->n);
    return IVL_OK;
}

static void put(json_t *metrics, json_t *ci, const char *key, int64_t hits, int64_t n)
{
    double share = (double)hits / (double)n, low, high;
    ivl_share_interval(share, n, &low, &high);
    json_object_set_new(metrics, key, json_real(share));
    json_object_set_new(ci, key, json_pack("[ff]", low, high));
}

static json_t *result(const matching *m, const char *by)
{
    int64_t hits[KINDS] = { 0 }, ranked = 0, n = m->n;
    json_t *metrics = json_object(), *ci = json_object();
    for (int i = 0; i < m->n; i++) {
        const float *s = m->score + i * KINDS;
        for (int k = 0; k < KINDS; k++) hits[k] += k == OWN ? s[k] > 0.5f : s[k] < 0.5f;
        ranked += s[OWN] > s[HARD];
    }
    put(metrics, ci, "acc", hits[OWN] + hits[RANDOM], 2 * n);
    put(metrics, ci, "acc_true_pairs", hits[OWN], n);
    put(metrics, ci, "acc_random_negatives", hits[RANDOM], n);
    put(metrics, ci, "acc_hard", hits[OWN] + hits[HARD], 2 * n);
    put(metrics, ci, "acc_hard_negatives", hits[HARD], n);
    put(metrics, ci, "hard_ranked", ranked, n);
    return json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:o, s:o}]}", "results", "dataset",
                     m->o->data, "model", "internvl_g", "pretrained", m->o->model, "task", "image_text_matching",
                     "language", m->o->languages ? m->o->languages : "all", "hard_negatives_by", by, "pictures",
                     (json_int_t)n, "pairs", (json_int_t)(2 * n), "seed", (json_int_t)m->o->seed, "chance", 0.5,
                     "metrics", metrics, "ci95", ci);
}

/* Model and head are in memory one after the other. */
static ivl_status run(matching *m, const char *dir, ivl_device *dev, const ivl_embedder_options *options)
{
    ivl_embedder *e = NULL;
    ivl_matcher *head = NULL;
    int batch = options->batch < IVL_PICTURES ? options->batch : IVL_PICTURES, dim = 0;
    ivl_matcher_options mo = { options->compute, batch, KINDS, options->image_size };
    IVL_TRY(ivl_matcher_check(dir));
    IVL_TRY(choose_pictures(m));
    ivl_status s = ivl_embedder_open(dir, dev, options, &e);
    if (s == IVL_OK) s = embed_all(m, e);
    if (s == IVL_OK) dim = ivl_embedder_dim(e);
    ivl_embedder_close(e);
    if (s == IVL_OK) s = choose_captions(m, dim);
    if (s == IVL_OK) s = ivl_matcher_open(dir, dev, &mo, &head);
    if (s == IVL_OK) s = match_all(m, head);
    ivl_matcher_close(head);
    return s;
}

ivl_status ivl_eval_itm(const char *model_dir, ivl_device *dev, const ivl_embedder_options *e, const ivl_dataset *ds,
                        const ivl_eval_options *o, const char *out_json)
{
    matching m = { .o = o, .ds = ds };
    ivl_status s = ivl_captions_read(ds, o->data, o->languages, &m.c);
    if (s == IVL_OK) s = run(&m, model_dir, dev, e);
    if (s == IVL_OK) s = ivl_json_save(result(&m, e->queries ? "internvl_g" : "internvl_c"), out_json);
    ivl_captions_free(&m.c);
    free(m.record), free(m.pool), free(m.caption), free(m.image), free(m.text), free(m.score);
    return s;
}
