#include "train/talk.h"

#include <stdlib.h>
#include <string.h>

#include "data/transform.h"
#include "model/decoder.h"
#include "train/language.h"

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
    ivl_val           in_pixels, in_ids, in_index, in_inverse;
    int64_t           tokens;
    void            (*hear)(void *ctx, const char *piece);
    void             *ctx;
    int32_t          *said;
    size_t            n_said, heard;
    int32_t           end;     /* token that ends an answer beside EOS; -1: none */
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
    ivl_image im = { 0 };
    IVL_CHECK(!t->l.config.no_tower, IVL_EINVAL, "%s: this model is a language model alone and sees no pictures",
              p->name);
    IVL_CHECK(t->pictures < MAX_PICTURES, IVL_EINVAL, "%s: more than %d pictures", p->name, MAX_PICTURES);
    uint8_t *more = realloc(t->pixels, bytes * (size_t)(t->pictures + 1));
    IVL_CHECK(more, IVL_ENOMEM, "out of memory");
    t->pixels = more;
    IVL_TRY(ivl_image_decode(p->bytes, p->n, p->name, ivl_transform_min_side(&t->transform), &im));
    ivl_status s = ivl_transform_apply(&t->transform, &im, 0, 0, 0, t->pixels + bytes * (size_t)t->pictures);
    ivl_image_free(&im);
    if (s == IVL_OK) t->pictures++;
    return s;
}

/* --- answering ------------------------------------------------------------------------------------- */

static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    ivl_talk *t = ctx;
    ivl_graph *g = s->g;
    int64_t n = t->tokens, size = t->transform.size, k = ivl_chat_picture_tokens(&t->l.config, size ? size : 1);
    t->in_ids = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ 1, n });
    ivl_llama m = ivl_chat_llm(s, &t->l.config);
    *p = (ivl_prompt){ IVL_NONE, IVL_NONE, 0, IVL_MASK_CAUSAL };
    if (!t->pictures) {
        p->x = ivl_llama_embed(&m, t->in_ids);
        return IVL_OK;
    }
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    in.pixels = t->in_pixels = ivl_input(g, "pixels", IVL_U8, 4, (int64_t[]){ t->pictures, size, size, 3 });
    t->in_index = ivl_input(g, "index", IVL_I32, 2, (int64_t[]){ 1, n });
    t->in_inverse = ivl_input(g, "inverse", IVL_I32, 2, (int64_t[]){ t->pictures, k });
    ivl_chat_input c = { t->in_ids, IVL_NONE, t->in_index, t->in_inverse };
    p->x = ivl_chat_embed(s, &t->l.config, ivl_chat_pictures(s, &t->l.config, &in), &c);
    return IVL_OK;
}

/* Ids with K positions for each picture. *arrays_p: ids[tokens], index[tokens], inverse[pictures,K]. */
static ivl_status splice(ivl_talk *t, const int32_t *ids, size_t n, int32_t **arrays_p)
{
    int64_t k = t->pictures ? ivl_chat_picture_tokens(&t->l.config, t->transform.size) : 0, marks = 0, at = 0;
    for (size_t i = 0; i < n; i++) marks += ids[i] == IVL_IMAGE_TOKEN;
    IVL_CHECK(marks == t->pictures, IVL_EINVAL,
              "the conversation has %lld marks \"<image>\" and %d pictures were shown", (long long)marks, t->pictures);
    t->tokens = (int64_t)n + marks * (k - 1);
    int32_t *a = calloc((size_t)(2 * t->tokens + marks * k + 1), sizeof *a), *index = a + t->tokens;
    int32_t *inverse = index + t->tokens;
    IVL_CHECK(a, IVL_ENOMEM, "out of memory");
    marks = 0;
    for (size_t i = 0; i < n; i++) {
        bool picture = ids[i] == IVL_IMAGE_TOKEN;
        for (int64_t j = 0; j < (picture ? k : 1); j++, at++) {
            a[at] = picture ? 0 : ids[i], index[at] = picture ? (int32_t)(marks * k + j) : -1;
            if (picture) inverse[marks * k + j] = (int32_t)at;
        }
        marks += picture;
    }
    *arrays_p = a;
    return IVL_OK;
}

static ivl_status feed(ivl_talk *t, ivl_decoder *d, const int32_t *a)
{
    ivl_plan *plan = ivl_decoder_prompts(d);
    size_t n = (size_t)t->tokens, side = (size_t)t->transform.size, p = (size_t)t->pictures;
    IVL_TRY(ivl_plan_write(plan, t->stream, t->in_ids, a, n * sizeof *a));
    if (!p) return IVL_OK;
    size_t k = (size_t)ivl_chat_picture_tokens(&t->l.config, t->transform.size);
    IVL_TRY(ivl_plan_write(plan, t->stream, t->in_pixels, t->pixels, p * side * side * 3));
    IVL_TRY(ivl_plan_write(plan, t->stream, t->in_index, a + n, n * sizeof *a));
    return ivl_plan_write(plan, t->stream, t->in_inverse, a + 2 * n, p * k * sizeof *a);
}

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

/* Steps are the decoder's, words are ours. */
typedef struct speaker { ivl_talk *t; ivl_decoder *d; } speaker;
static ivl_status speaker_step(void *ctx, const int32_t *token, float *logits)
{
    return ivl_decoder_step(((speaker *)ctx)->d, token, logits);
}
static ivl_status speaker_reorder(void *ctx, const int32_t *parent) 
{
    return ivl_decoder_reorder(((speaker *)ctx)->d, parent);
}
static bool speaker_heard(void *ctx, int row, int32_t token) { return hear_token(((speaker *)ctx)->t, row, token); }

static ivl_status write_on(ivl_talk *t, const int32_t *arrays, char **answer_p)
{
    ivl_decode_options *o = &t->o.decode;
    int vocab = t->l.config.llm.vocab, beams = o->beams;
    ivl_decoder *d = NULL;
    ivl_decoder_model m = { t->l.params, &t->l.config.tower, &t->l.config.llm, "llm.", t->o.compute };
    ivl_decoder_options size = { 1, beams, (int)t->tokens + o->max_new };
    float *logits = malloc((size_t)beams * (size_t)vocab * sizeof *logits);
    int32_t *out = calloc((size_t)o->max_new + 1, sizeof *out), len = (int32_t)t->tokens;
    t->said = calloc((size_t)o->max_new + 1, sizeof *t->said), t->n_said = t->heard = 0;
    ivl_status s = logits && out && t->said ? ivl_decoder_create(t->dev, t->stream, &m, &size, record, t, &d)
                                            : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = feed(t, d, arrays);
    if (s == IVL_OK) s = ivl_decoder_prefill(d, &len, logits);
    speaker k = { t, d };
    ivl_decode_model model = { &k, vocab, speaker_step, speaker_reorder, speaker_heard };
    if (s == IVL_OK) s = ivl_decode(o, &model, &(ivl_decode_rows){ .n = 1 }, logits, out, &len);
    bool ended = false;
    for (int i = 0; s == IVL_OK && len > 0 && i < o->n_eos; i++) ended = ended || out[len - 1] == o->eos[i];
    if (s == IVL_OK) s = ivl_tokenizer_decode(t->l.tok, out, (size_t)(len - ended), answer_p);
    ivl_decoder_destroy(d);
    free(logits), free(out), free(t->said);
    t->said = NULL;
    return s;
}

ivl_status ivl_talk_answer(ivl_talk *t, const ivl_turn *turn, int n, void (*hear)(void *ctx, const char *piece),
                           void *ctx, char **answer_p)
{
    char *text = NULL;
    int32_t *ids = NULL, *arrays = NULL;
    size_t n_ids = 0;
    ivl_codec codec = ivl_codec_of(t->l.tok);
    t->hear = hear, t->ctx = ctx;
    ivl_status s = ivl_prompt_text(t->form, t->system, turn, n, &text);
    if (s == IVL_OK) s = ivl_prompt_encode(&codec, text, &ids, &n_ids);
    if (s == IVL_OK) s = splice(t, ids, n_ids, &arrays);
    if (s == IVL_OK && t->tokens + t->o.decode.max_new > t->l.config.llm.max_positions)
        s = ivl_fail(IVL_EINVAL, __FILE__, __LINE__,
                     "%lld tokens of conversation and %d of answer do not fit into the model's %d",
                     (long long)t->tokens, t->o.decode.max_new, t->l.config.llm.max_positions);
    if (s == IVL_OK) s = write_on(t, arrays, answer_p);
    free(text), free(ids), free(arrays);
    return s;
}
