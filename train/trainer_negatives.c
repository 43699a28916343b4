/* Hard negatives for matching. BLIP-2 (2301.12597) draws them in the batch by the similarity of the features of the
 * moment, which costs a pass and a wait in every step, and finds few in a small batch. Here the encoders of the initial
 * model look at all pictures and captions once (stage 2 leaves them as they are): record i gets the k records whose
 * best caption scores highest with picture i, but for those that show the same or share a wording. The table lies in
 * the run's folder, so that a resumed run has the same. It takes pictures times captions products: for some 100,000
 * records, not for billions. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/safetensors.h"
#include "runtime/file.h"
#include "train/eval.h"
#include "train/trainer.h"

static const double MOST_PRODUCTS = 4e12; /* an hour or so of one core */

typedef struct likeness {
    const ivl_captions *c;
    const float *image, *text; /* unit rows [records, dim], [captions, dim] */
    int      dim, k;
    int32_t *out;              /* [records, k] */
    float   *score;            /* [k], of the record at hand */
} likeness;

enum { LANES = 16, CHUNK = 32 };

static float dot(const float *a, const float *b, int n)
{
    float sum[LANES] = { 0 }, all = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++) all += a[i] * b[i];
    for (int k = 0; k < LANES; k++) all += sum[k];
    return all;
}

/* Into the first *n of out, which are sorted from the best. */
static void insert(const likeness *l, int32_t *out, int *n, int32_t record, float score)
{
    int at = *n < l->k ? (*n)++ : l->k - 1;
    for (; at > 0 && l->score[at - 1] < score; at--) l->score[at] = l->score[at - 1], out[at] = out[at - 1];
    l->score[at] = score, out[at] = record;
}

static void find_neighbours(const likeness *l, int32_t i)
{
    const ivl_captions *c = l->c;
    const float *image = l->image + (int64_t)i * l->dim;
    int32_t *out = l->out + (int64_t)i * l->k;
    int n = 0;
    for (int32_t r = 0; r < c->n_records; r++) {
        float best = -2;
        for (int32_t j = c->first[r]; j < c->first[r + 1]; j++) {
            float s = dot(image, l->text + (int64_t)j * l->dim, l->dim);
            if (s > best) best = s;
        }
        bool enters = best > -2 && r != i && (n < l->k || best > l->score[l->k - 1]);
        if (enters && !ivl_captions_alike(c, i, r)) insert(l, out, &n, r, best);
    }
    while (n < l->k) out[n++] = -1;
}

/* A picture that cannot be read is like nothing: a row of zeros. */
static ivl_status embed_pictures(ivl_embedder *e, const ivl_dataset *ds, int n, float *out)
{
    static const ivl_eval_options silent;
    int64_t dim = ivl_embedder_dim(e);
    int32_t record[CHUNK];
    for (int at = 0, m = CHUNK, alone = 0; at < n; at += m, alone -= alone > 0) {
        m = alone ? 1 : n - at < CHUNK ? n - at : CHUNK;
        for (int i = 0; i < m; i++) record[i] = at + i;
        ivl_status s = ivl_embed_records(e, ds, record, m, &silent, out + at * dim);
        bool bad = s == IVL_EFORMAT || s == IVL_EIO;
        if (bad && m == 1) memset(out + at * dim, 0, (size_t)dim * sizeof *out);
        else if (bad) alone = m + 1, m = 0; /* again, one by one */
        else IVL_TRY(s);
    }
    return IVL_OK;
}

static ivl_status compare(ivl_trainer *t, ivl_embedder *e, const ivl_captions *c)
{
    static const ivl_eval_options silent;
    int dim = ivl_embedder_dim(e), k = (int)t->r->neighbours;
    IVL_CHECK((double)c->n_records * c->n * dim < MOST_PRODUCTS, IVL_EINVAL,
              "negatives: hard compares %d pictures with %d captions, which takes too long: use random", c->n_records,
              c->n);
    int64_t pictures = (int64_t)c->n_records * dim, captions = (int64_t)c->n * dim;
    float *image = malloc((size_t)(pictures + captions) * sizeof *image), *score = malloc((size_t)k * sizeof *score);
    ivl_status s = image && score ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = embed_pictures(e, t->ds, c->n_records, image);
    if (s == IVL_OK) s = ivl_embed_captions(e, c, NULL, c->n, &silent, image + pictures);
    likeness l = { c, image, image + pictures, dim, k, t->neighbours, score };
    for (int32_t i = 0; s == IVL_OK && i < c->n_records; i++) find_neighbours(&l, i);
    free(image), free(score);
    return s;
}

static ivl_status build(ivl_trainer *t)
{
    const ivl_recipe *r = t->r;
    ivl_captions c = { 0 };
    ivl_embedder *e = NULL;
    ivl_embedder_options o = { .compute = t->dtype, .batch = CHUNK };
    char text[160];
    ivl_status s = ivl_captions_read(t->ds, r->data, r->languages[0] ? r->languages : NULL, &c);
    snprintf(text, sizeof text, "negatives: %d pictures are compared with %d captions first", c.n_records, c.n);
    if (s == IVL_OK && t->o->note) t->o->note(t->o->ctx, text);
    if (s == IVL_OK) s = ivl_embedder_open(r->init, t->dev, &o, &e);
    if (s == IVL_OK) s = compare(t, e, &c);
    ivl_embedder_close(e);
    ivl_captions_free(&c);
    return s;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static ivl_status save(const ivl_trainer *t, const char *path)
{
    ivl_st_item item = { .name = "neighbours", .type = IVL_ST_I32, .rank = 2, .data = t->neighbours };
    item.dim[0] = ivl_dataset_count(t->ds), item.dim[1] = t->r->neighbours;
    return ivl_st_save(path, &item, 1, NULL, 0);
}

static ivl_status load(const ivl_trainer *t, const char *path)
{
    ivl_st *f = NULL;
    int64_t n = ivl_dataset_count(t->ds), k = t->r->neighbours;
    IVL_TRY(ivl_st_open(path, &f));
    const ivl_st_tensor *x = ivl_st_find(f, "neighbours");
    bool good = x && x->rank == 2 && x->dim[0] == n && x->dim[1] == k;
    ivl_status s = good ? ivl_st_read(x, 0, n * k, IVL_I32, t->neighbours) : IVL_OK;
    for (int64_t i = 0; good && s == IVL_OK && i < n * k; i++) good = t->neighbours[i] < n;
    if (!good)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                     "%s: not the negatives of %lld records: has the data changed since the run began?", path,
                     (long long)n);
    ivl_st_close(f);
    return s;
}

ivl_status ivl_trainer_open_negatives(ivl_trainer *t)
{
    if (strcmp(t->r->negatives, "hard")) return IVL_OK;
    char *path = ivl_path_join(t->o->out, "negatives.safetensors");
    t->neighbours = malloc((size_t)ivl_dataset_count(t->ds) * (size_t)t->r->neighbours * sizeof *t->neighbours);
    ivl_status s = path && t->neighbours ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    bool there = s == IVL_OK && t->first_step > 0 && access(path, F_OK) == 0;
    if (s == IVL_OK) s = there ? load(t, path) : build(t);
    if (s == IVL_OK && !there) s = save(t, path);
    free(path);
    return s;
}
