#include "train/talk.h"

#include <stdlib.h>
#include <string.h>

#include "data/transform.h"
#include "train/answerer.h"

enum { MAX_PICTURES = 64 };

struct ivl_talk {
    ivl_device       *dev;
    ivl_stream       *stream;
    ivl_language      l;
    ivl_talk_options  o;
    ivl_template      form;
    char             *system;
    ivl_transform     transform;
    int               pictures;
    uint8_t          *pixels;  /* [pictures,S,S,3] */
    /* of the answer that is being given */
    void            (*hear)(void *ctx, const char *piece);
    void             *ctx;
    int32_t          *said;
    size_t            n_said, heard;
};

/* --- opening --------------------------------------------------------------------------------------- */

static ivl_status choose_form(ivl_talk *t)
{
    t->form = IVL_TEMPLATE_VICUNA;
    const ivl_chat_config *c = &t->l.config;
    const char *form = t->o.form ? t->o.form : c->form[0] ? c->form : NULL;
    const char *system = t->o.system ? t->o.system : c->has_system ? c->system : NULL;
    if (form) IVL_TRY(ivl_template_parse(form, &t->form));
    else IVL_TRY(ivl_template_detect(t->l.tok, &t->form, &t->system));
    if (!system) return IVL_OK;
    free(t->system);
    t->system = strdup(system);
    IVL_CHECK(t->system, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

/* Token that ends an answer beside EOS. */
static ivl_status find_ends(ivl_talk *t)
{
    ivl_decode_options *d = &t->o.decode;
    ivl_codec codec = ivl_codec_of(t->l.tok);
    int32_t *ids = NULL;
    size_t n = 0;
    d->n_eos = 0, d->pad = t->l.config.llm.pad > 0 ? t->l.config.llm.pad : 0;
    d->eos[d->n_eos++] = ivl_tokenizer_eos(t->l.tok);
    IVL_TRY(codec.encode(codec.ctx, ivl_template_end(t->form), &ids, &n));
    if (n == 1 && ids[0] != d->eos[0]) d->eos[d->n_eos++] = ids[0];
    free(ids);
    return IVL_OK;
}

ivl_status ivl_talk_open(const char *model, ivl_device *dev, const ivl_talk_options *o, ivl_talk **t_p)
{
    ivl_talk *t = calloc(1, sizeof *t);
    IVL_CHECK(t, IVL_ENOMEM, "out of memory");
    t->dev = dev, t->o = *o;
    ivl_status s = ivl_stream_open(dev, &t->stream);
    if (s == IVL_OK) s = ivl_language_load(model, dev, t->stream, o->compute, &t->l);
    if (s == IVL_OK && !t->l.config.no_tower)
        t->transform = (ivl_transform){ .fit = IVL_FIT_PAD, .size = ivl_config_image_size(&t->l.config.tower) };
    if (s == IVL_OK) s = choose_form(t);
    if (s == IVL_OK) s = find_ends(t);
    if (s != IVL_OK) {
        ivl_talk_close(t);
        return s;
    }
    *t_p = t;
    return IVL_OK;
}

void ivl_talk_close(ivl_talk *t)
{
    if (!t) return;
    ivl_language_free(&t->l);
    ivl_stream_close(t->stream);
    free(t->pixels), free(t->system), free(t);
}

/* --- pictures -------------------------------------------------------------------------------------- */

void ivl_talk_clear(ivl_talk *t) { t->pictures = 0; }

ivl_status ivl_talk_show(ivl_talk *t, const ivl_picture *p)
{
    size_t bytes = (size_t)t->transform.size * (size_t)t->transform.size * 3;
    IVL_CHECK(!t->l.config.no_tower, IVL_EINVAL, "%s: this model is a language model alone and sees no pictures",
              p->name);
    IVL_CHECK(t->pictures < MAX_PICTURES, IVL_EINVAL, "%s: more than %d pictures", p->name, MAX_PICTURES);
    uint8_t *more = realloc(t->pixels, bytes * (size_t)(t->pictures + 1));
    IVL_CHECK(more, IVL_ENOMEM, "out of memory");
    t->pixels = more;
    IVL_TRY(ivl_transform_picture(&t->transform, p, t->pixels + bytes * (size_t)t->pictures));
    t->pictures++;
    return IVL_OK;
}

/* --- answering ------------------------------------------------------------------------------------- */

/* Tells what has become text since; a character may take several tokens, so its broken beginning waits. */
static bool hear_token(void *ctx, int row, int32_t token)
{
    ivl_talk *t = ctx;
    char *text = NULL;
    (void)row;
    for (int i = 0; i < t->o.decode.n_eos; i++)
        if (token == t->o.decode.eos[i]) return true;
    t->said[t->n_said++] = token;
    if (!t->hear || ivl_tokenizer_decode(t->l.tok, t->said, t->n_said, &text) != IVL_OK) return true;
    size_t n = strlen(text);
    bool broken = n >= 3 && !memcmp(text + n - 3, "\xef\xbf\xbd", 3);
    if (!broken && n > t->heard) {
        t->hear(t->ctx, text + t->heard);
        t->heard = n;
    }
    free(text);
    return true;
}

/* The words of one row's tokens. */
static ivl_status words_of(const ivl_talk *t, const int32_t *out, int32_t len, char **answer_p)
{
    bool ended = false;
    for (int i = 0; len > 0 && i < t->o.decode.n_eos; i++) ended = ended || out[len - 1] == t->o.decode.eos[i];
    return ivl_tokenizer_decode(t->l.tok, out, (size_t)(len - ended), answer_p);
}

static ivl_status encode(const ivl_talk *t, const ivl_turn *turn, int n, int32_t **ids_p, size_t *n_p)
{
    char *text = NULL;
    ivl_codec codec = ivl_codec_of(t->l.tok);
    IVL_TRY(ivl_prompt_text(t->form, t->system, turn, n, &text));
    ivl_status s = ivl_prompt_encode(&codec, text, ids_p, n_p);
    free(text);
    return s;
}

static ivl_status check_room(const ivl_talk *t, int64_t tokens)
{
    int room = t->l.config.llm.max_positions;
    IVL_CHECK(tokens + t->o.decode.max_new <= room, IVL_EINVAL,
              "%lld tokens of conversation and %d of answer do not fit into the model's %d", (long long)tokens,
              t->o.decode.max_new, room);
    return IVL_OK;
}

ivl_status ivl_talk_answer(ivl_talk *t, const ivl_turn *turn, int n, void (*hear)(void *ctx, const char *piece),
                           void *ctx, char **answer_p)
{
    ivl_answerer *a = NULL;
    int32_t *ids = NULL, len = 0;
    size_t n_ids = 0;
    IVL_TRY(encode(t, turn, n, &ids, &n_ids));
    ivl_answerer_options o = { t->o.compute, 1, t->pictures, ivl_language_tokens(&t->l, ids, n_ids), &t->o.decode };
    ivl_answerer_row row = { ids, n_ids, t->pixels };
    size_t most = (size_t)t->o.decode.max_new + 1;
    int32_t *out = calloc(2 * most, sizeof *out);
    t->hear = hear, t->ctx = ctx, t->said = out ? out + most : NULL, t->n_said = t->heard = 0;
    ivl_status s = out ? check_room(t, o.tokens) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = ivl_answerer_create(t->dev, t->stream, &t->l, &o, &a);
    if (s == IVL_OK) s = ivl_answerer_run(a, &row, 1, hear_token, t, out, &len);
    if (s == IVL_OK) s = words_of(t, out, len, answer_p);
    ivl_answerer_destroy(a);
    free(ids), free(out);
    return s;
}

/* --- many questions -------------------------------------------------------------------------------- */

typedef struct many {
    ivl_talk               *t;
    const ivl_talk_questions *q;
    ivl_answerer           *a;
    int32_t               **ids;  /* [n] */
    size_t                 *n_ids;
    int64_t                 tokens;
    int                     batch;
    uint8_t                *pixels; /* [batch,S,S,3] */
    int32_t                *out, *len;
} many;

static ivl_status encode_all(many *m)
{
    for (int i = 0; i < m->q->n; i++) {
        ivl_turn turn = { m->q->question[i], NULL };
        IVL_TRY(encode(m->t, &turn, 1, &m->ids[i], &m->n_ids[i]));
        int64_t tokens = ivl_language_tokens(&m->t->l, m->ids[i], m->n_ids[i]);
        if (tokens > m->tokens) m->tokens = tokens;
    }
    return check_room(m->t, m->tokens);
}

/* The picture of question i, or grey. */
static ivl_status look(const many *m, int i, uint8_t *pixels)
{
    ivl_picture p = { 0 };
    const ivl_transform *f = &m->t->transform;
    if (!m->q->show) {
        memset(pixels, 127, (size_t)f->size * (size_t)f->size * 3);
        return IVL_OK;
    }
    IVL_TRY(m->q->show(m->q->ctx, i, &p));
    ivl_status s = ivl_transform_picture(f, &p, pixels);
    free((void *)(uintptr_t)p.bytes);
    return s;
}

static ivl_status answer_batch(many *m, int first, int n, char **answer)
{
    ivl_answerer_row *row = calloc((size_t)n, sizeof *row);
    size_t bytes = (size_t)m->t->transform.size * (size_t)m->t->transform.size * 3;
    ivl_status s = row ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < n && s == IVL_OK; i++) {
        row[i] = (ivl_answerer_row){ m->ids[first + i], m->n_ids[first + i], m->pixels + bytes * (size_t)i };
        if (m->q->pictures) s = look(m, first + i, m->pixels + bytes * (size_t)i);
    }
    if (s == IVL_OK) s = ivl_answerer_run(m->a, row, n, NULL, NULL, m->out, m->len);
    for (int i = 0; i < n && s == IVL_OK; i++)
        s = words_of(m->t, m->out + (size_t)i * (size_t)m->t->o.decode.max_new, m->len[i], &answer[first + i]);
    free(row);
    return s;
}

static ivl_status answer_all(many *m, char **answer)
{
    const ivl_talk_questions *q = m->q;
    size_t side = (size_t)m->t->transform.size, b = (size_t)m->batch;
    IVL_TRY(encode_all(m));
    ivl_answerer_options o = { m->t->o.compute, m->batch, q->pictures, m->tokens, &m->t->o.decode };
    m->pixels = malloc(b * side * side * 3 + 1);
    m->out = calloc(b * (size_t)m->t->o.decode.max_new, sizeof *m->out), m->len = calloc(b, sizeof *m->len);
    IVL_CHECK(m->pixels && m->out && m->len, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_answerer_create(m->t->dev, m->t->stream, &m->t->l, &o, &m->a));
    for (int i = 0; i < q->n; i += m->batch) {
        if (q->progress) q->progress(q->progress_ctx, "answers", i, q->n);
        IVL_TRY(answer_batch(m, i, q->n - i < m->batch ? q->n - i : m->batch, answer));
    }
    if (q->progress) q->progress(q->progress_ctx, "answers", q->n, q->n);
    return IVL_OK;
}

ivl_status ivl_talk_answers(ivl_talk *t, const ivl_talk_questions *q, char **answer)
{
    IVL_CHECK(q->n > 0, IVL_EINVAL, "no questions");
    IVL_CHECK(!q->pictures || !t->l.config.no_tower, IVL_EINVAL,
              "this model is a language model alone and sees no pictures");
    many m = { .t = t, .q = q, .batch = q->n < q->batch ? q->n : q->batch };
    m.ids = calloc((size_t)q->n, sizeof *m.ids), m.n_ids = calloc((size_t)q->n, sizeof *m.n_ids);
    ivl_status s = m.ids && m.n_ids ? answer_all(&m, answer)
                                    : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    ivl_answerer_destroy(m.a);
    for (int i = 0; m.ids && i < q->n; i++) free(m.ids[i]);
    free(m.ids), free(m.n_ids), free(m.pixels), free(m.out), free(m.len);
    return s;
}
