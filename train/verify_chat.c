#include "train/parity.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/conversation.h"
#include "model/chat.h"
#include "runtime/file.h"

/* A chat model inside the case: "chat_c" or "chat_d". */
typedef struct chat { ivl_parity *c; const char *kind; ivl_chat_config config; ivl_params *params; } chat;

static char *named(const chat *k, const char *what, char text[96])
{
    snprintf(text, 96, "%s.%s", k->kind, what);
    return text;
}

static bool trains_chat(void *ctx, const char *name)
{
    (void)ctx;
    return !strncmp(name, "mm_projector.", 13) || !strncmp(name, "llm.", 4);
}

static ivl_status chat_open(chat *k)
{
    char *dir = ivl_path_join(k->c->dir, k->kind);
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_chat_config_load(dir, &k->config);
    ivl_params_options o = { .trains = trains_chat, .chat = &k->config };
    if (s == IVL_OK) s = ivl_params_create(&k->config.tower, &o, &k->params);
    if (s == IVL_OK) s = ivl_params_alloc(k->params, k->c->dev, k->c->o->compute, true);
    if (s == IVL_OK) s = ivl_checkpoint_load(dir, k->params, k->c->stream, NULL, NULL);
    free(dir);
    return s;
}

/* --- splicing ------------------------------------------------------------------------------------- */

/* The case's batch after each picture's mark became its K tokens. */
typedef struct spliced { int64_t b, n, pictures, k; int32_t *ids, *labels, *index, *len, *inverse; } spliced;

static ivl_status read_ids(const ivl_parity *c, const char *name, int64_t *rows, int64_t *cols, double **v)
{
    int rank;
    int64_t dim[IVL_MAX_RANK], n;
    IVL_TRY(ivl_parity_shape(c, name, &rank, dim));
    IVL_CHECK(rank == 2, IVL_EFORMAT, "%s: %s is not a matrix", c->dir, name);
    *rows = dim[0], *cols = dim[1];
    return ivl_parity_data(c, name, v, &n);
}

static int64_t count_pictures(const double *ids, int64_t n)
{
    int64_t marks = 0;
    for (int64_t i = 0; i < n; i++) marks += ids[i] == IVL_IMAGE_TOKEN;
    return marks;
}

/* One row; next counts pictures: a text without one uses up one. */
static ivl_status splice_row(spliced *z, int64_t row, const double *ids, const double *labels, int64_t n, int64_t *next)
{
    int64_t first = row * z->n, marks = count_pictures(ids, n);
    int32_t *id = malloc((size_t)(2 * n + 1) * sizeof *id), *label = id + n;
    IVL_CHECK(id, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) id[i] = (int32_t)ids[i], label[i] = (int32_t)(labels ? labels[i] : ids[i]);
    ivl_splice to = { z->ids, z->index, z->inverse, z->labels + first, first, *next, z->k };
    z->len[row] = (int32_t)ivl_prompt_splice(&to, id, label, (size_t)n);
    for (int64_t at = first + z->len[row]; at < first + z->n; at++) z->labels[at] = IVL_IGNORE, z->index[at] = -1;
    *next += marks ? marks : 1;
    free(id);
    return IVL_OK;
}

static ivl_status splice(const chat *c, const double *ids, const double *valid, const double *labels, int64_t rows,
                         int64_t cols, const int64_t *px, spliced *z)
{
    int64_t len[64] = { 0 }, next = 0, used = 0;
    IVL_CHECK(rows <= 64, IVL_EUNSUPPORTED, "%s: more than 64 conversations", c->c->dir);
    int64_t pictures = px[0];
    *z = (spliced){ .b = rows, .pictures = pictures, .k = ivl_chat_picture_tokens(&c->config, px[2]) };
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < cols; i++) len[r] += valid ? valid[r * cols + i] != 0 : 1;
        int64_t marks = count_pictures(ids + r * cols, len[r]), n = len[r] + marks * (z->k - 1);
        z->n = n > z->n ? n : z->n;
        used += marks ? marks : 1;
    }
    IVL_CHECK(used <= pictures, IVL_EFORMAT, "%s: more pictures in in.chat.ids than in in.chat.pixels", c->c->dir);
    z->ids = calloc((size_t)(3 * rows * z->n + rows + pictures * z->k), sizeof *z->ids);
    IVL_CHECK(z->ids, IVL_ENOMEM, "out of memory");
    z->labels = z->ids + rows * z->n, z->index = z->labels + rows * z->n, z->len = z->index + rows * z->n;
    z->inverse = z->len + rows;
    for (int64_t i = 0; i < pictures * z->k; i++) z->inverse[i] = -1;
    for (int64_t r = 0; r < rows; r++)
        IVL_TRY(splice_row(z, r, ids + r * cols, labels ? labels + r * cols : NULL, len[r], &next));
    return IVL_OK;
}

static ivl_val rows_input(ivl_parity_run *r, const char *name, int64_t rows, int64_t cols, const int32_t *v)
{
    return ivl_parity_feed(r, name, IVL_I32, cols ? 2 : 1, (int64_t[]){ rows, cols }, v);
}

static ivl_chat_input declare(ivl_parity_run *r, const spliced *z)
{
    return (ivl_chat_input){ rows_input(r, "ids", z->b, z->n, z->ids), rows_input(r, "len", z->b, 0, z->len),
                             rows_input(r, "index", z->b, z->n, z->index),
                             rows_input(r, "inverse", z->pictures, z->k, z->inverse) };
}

/* --- SFT ------------------------------------------------------------------------------------------ */

/* Labels and validity after splicing, as the case has them. */
static ivl_status check_splice(const chat *k, const spliced *z)
{
    char name[96];
    int64_t n = z->b * z->n;
    double *v = malloc((size_t)(2 * n + 1) * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) v[i] = z->labels[i], v[n + i] = i % z->n < z->len[i / z->n];
    ivl_status s = ivl_parity_compare(k->c, named(k, "labels", name), v, n);
    if (s == IVL_OK) s = ivl_parity_compare(k->c, named(k, "mask", name), v + n, n);
    free(v);
    return s;
}

/* The case has the logits of the last positions, 0 at padding. */
static ivl_status check_logits(ivl_parity_run *r, const chat *k, const spliced *z, ivl_val logits)
{
    char name[96];
    int rank;
    int64_t dim[IVL_MAX_RANK], n = 0;
    double *got = NULL;
    named(k, "logits", name);
    if (!ivl_parity_has(k->c, name)) return IVL_OK;
    IVL_TRY(ivl_parity_shape(k->c, name, &rank, dim));
    IVL_CHECK(rank == 3 && dim[0] == z->b && dim[1] <= z->n, IVL_EFORMAT, "%s: %s has another shape", k->c->dir, name);
    IVL_TRY(ivl_parity_read(r, logits, &got, &n));
    int64_t vocab = n / (z->b * z->n), at = 0;
    for (int64_t b = 0; b < z->b; b++)
        for (int64_t i = z->n - dim[1]; i < z->n; i++)
            for (int64_t v = 0; v < vocab; v++)
                got[at++] = i < z->len[b] ? got[(b * z->n + i) * vocab + v] : 0;
    ivl_status s = ivl_parity_compare(k->c, name, got, at);
    free(got);
    return s;
}

/* Position t predicts label t + 1. */
static ivl_val next_labels(ivl_parity_run *r, const spliced *z)
{
    int32_t *next = malloc((size_t)(z->b * z->n) * sizeof *next);
    if (!next) return ivl_graph_failed(r->s.g, ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"));
    for (int64_t i = 0; i < z->b * z->n; i++) next[i] = (i + 1) % z->n ? z->labels[i + 1] : IVL_IGNORE;
    ivl_val v = rows_input(r, "labels", z->b, z->n, next);
    free(next);
    return v;
}

static ivl_status run_sft(const chat *k, const spliced *z)
{
    ivl_parity_run r;
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    char name[96];
    IVL_TRY(ivl_parity_begin(k->c, k->params, true, &r));
    r.s.c = &k->config.tower;
    ivl_graph *g = r.s.g;
    ivl_status s = ivl_parity_pixels(&r, &k->config.tower, "in.chat.pixels", 0, &in);
    ivl_val pictures = ivl_keep(g, ivl_chat_pictures(&r.s, &k->config, &in));
    ivl_chat_input text = declare(&r, z);
    ivl_val logits = ivl_keep(g, ivl_chat_logits(&r.s, &k->config, pictures, &text));
    ivl_val loss = ivl_keep(g, ivl_softmax_ce(g, logits, next_labels(&r, z), IVL_NONE, IVL_NONE, NULL));
    if (s == IVL_OK) s = ivl_graph_backward(g, &(ivl_backward){ .out = &loss, .n = 1 });
    if (s == IVL_OK) s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, pictures, named(k, "image_tokens", name));
    if (s == IVL_OK) s = check_logits(&r, k, z, logits);
    if (s == IVL_OK) s = ivl_parity_check(&r, loss, named(k, "loss", name));
    if (s == IVL_OK) s = ivl_parity_check_params(k->c, k->params, named(k, "grad.", name), IVL_GRAD);
    ivl_parity_end(&r);
    return s;
}

static ivl_status sft(const chat *k)
{
    double *ids = NULL, *valid = NULL, *labels = NULL;
    int64_t rows, cols;
    int rank;
    int64_t px[IVL_MAX_RANK];
    spliced z = { 0 };
    ivl_status s = ivl_parity_shape(k->c, "in.chat.pixels", &rank, px);
    if (s == IVL_OK) s = read_ids(k->c, "in.chat.ids", &rows, &cols, &ids);
    if (s == IVL_OK) s = read_ids(k->c, "in.chat.mask", &rows, &cols, &valid);
    if (s == IVL_OK) s = read_ids(k->c, "in.chat.labels", &rows, &cols, &labels);
    if (s == IVL_OK) s = splice(k, ids, valid, labels, rows, cols, px, &z);
    if (s == IVL_OK) s = check_splice(k, &z);
    if (s == IVL_OK) s = run_sft(k, &z);
    free(ids), free(valid), free(labels), free(z.ids);
    return s;
}

/* Without the model's folder its tensors stay unknown. */
static bool is_there(const chat *k)
{
    char path[4096], name[96];
    snprintf(path, sizeof path, "%s/%s/config.json", k->c->dir, k->kind);
    return ivl_parity_has(k->c, named(k, "loss", name)) && ivl_parity_has(k->c, "in.chat.ids") && !access(path, F_OK);
}

/* --- replies -------------------------------------------------------------------------------------- */

typedef struct prompt { const chat *k; const spliced *z; } prompt;

static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    ivl_parity_prompts *q = ctx;
    const prompt *t = q->ctx;
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    q->run->s = *s;
    IVL_TRY(ivl_parity_pixels(q->run, &t->k->config.tower, "in.chat.pixels", 1, &in));
    ivl_chat_input text = declare(q->run, t->z);
    ivl_val x = ivl_chat_embed(s, &t->k->config, ivl_chat_pictures(s, &t->k->config, &in), &text);
    *p = (ivl_prompt){ x, IVL_NONE, 0, IVL_MASK_CAUSAL };
    return IVL_OK;
}

static ivl_status replies(const chat *k)
{
    double *ids = NULL;
    int64_t rows, cols, px[IVL_MAX_RANK];
    int rank;
    char name[96];
    spliced z = { 0 };
    if (!ivl_parity_has(k->c, "in.chat.prompt_ids")) return IVL_OK;
    ivl_status s = ivl_parity_shape(k->c, "in.chat.pixels", &rank, px);
    if (s == IVL_OK) s = read_ids(k->c, "in.chat.prompt_ids", &rows, &cols, &ids);
    px[0] = 1;
    if (s == IVL_OK) s = splice(k, ids, NULL, NULL, rows, cols, px, &z);
    ivl_decoder_model m = { k->params, &k->config.tower, &k->config.llm, "llm.", k->c->o->compute };
    prompt t = { k, &z };
    ivl_parity_prompts p = { (int)z.b, (int)z.n, z.len, record, &t, NULL };
    for (int beams = 1; beams <= 3; beams += 2) {
        json_t *o = json_pack("{s:i, s:i}", "max_new", 8, "beams", beams);
        snprintf(name, sizeof name, "%s.reply.beams%d", k->kind, beams);
        if (s == IVL_OK && ivl_parity_has(k->c, name)) s = ivl_verify_decode(k->c, name, &m, o, &p);
        json_decref(o);
    }
    free(ids), free(z.ids);
    return s;
}

static ivl_status verify_chat(ivl_parity *c, const char *kind)
{
    chat k = { .c = c, .kind = kind };
    if (!is_there(&k)) return IVL_OK;
    ivl_status s = chat_open(&k);
    if (s == IVL_OK) s = sft(&k);
    if (s == IVL_OK) s = replies(&k);
    ivl_params_destroy(k.params);
    return s;
}

ivl_status ivl_verify_chat(ivl_parity *c)
{
    IVL_TRY(verify_chat(c, "chat_c"));
    return verify_chat(c, "chat_d");
}
