#include "train/captioner.h"

#include <stdlib.h>
#include <string.h>

#include "data/loader.h"
#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/internvl.h"

struct ivl_captioner {
    ivl_device            *dev;
    ivl_stream            *stream;
    ivl_model_config       config;
    ivl_params            *params;
    ivl_tokenizer         *tok;
    ivl_transform          transform;
    ivl_captioner_options  o;
    ivl_decoder           *decoder;
    ivl_val                pixels, ids;      /* inputs of its prompts */
    int32_t               *prompt, *len, *out;
    size_t                 prompt_n;
    uint8_t               *picture;          /* [batch,S,S,3] */
    float                 *logits;
};

static ivl_status load(ivl_captioner *c, const char *dir)
{
    ivl_params_options parts = { .parts = IVL_PARTS_ALL };
    ivl_load_options load = { .check_nan = true };
    IVL_TRY(ivl_config_load(dir, &c->config));
    IVL_CHECK(c->config.text.queries, IVL_EINVAL, "%s: a model without queries cannot write: train stage 2 first", dir);
    IVL_TRY(ivl_tokenizer_open(dir, &c->tok));
    IVL_CHECK(ivl_tokenizer_size(c->tok) <= c->config.text.vocab, IVL_EFORMAT,
              "%s: the tokenizer has %d tokens and the model %d: this tokenizer.model is of another model", dir,
              ivl_tokenizer_size(c->tok), c->config.text.vocab);
    IVL_TRY(ivl_params_create(&c->config, &parts, &c->params));
    IVL_TRY(ivl_checkpoint_match(dir, c->params, &load));
    IVL_TRY(ivl_params_alloc(c->params, c->dev, c->o.compute, false));
    return ivl_checkpoint_load(dir, c->params, c->stream, &load, NULL);
}

static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    ivl_captioner *c = ctx;
    int64_t size = c->transform.size, b = c->o.batch;
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    in.pixels = c->pixels = ivl_input(s->g, "pixels", IVL_U8, 4, (int64_t[]){ b, size, size, 3 });
    c->ids = ivl_input(s->g, "prompts", IVL_I32, 2, (int64_t[]){ b, (int64_t)c->prompt_n });
    *p = ivl_caption_prompt(s, ivl_vit(s, &in, NULL), c->ids);
    return IVL_OK;
}

static ivl_status prepare(ivl_captioner *c)
{
    const char *prompt = c->o.prompt ? c->o.prompt : IVL_GENERATE_PREFIX;
    ivl_decode_options *d = &c->o.decode;
    IVL_TRY(ivl_tokenizer_encode(c->tok, prompt, &c->prompt, &c->prompt_n));
    d->eos[0] = ivl_tokenizer_eos(c->tok), d->n_eos = 1, d->pad = c->config.text.pad > 0 ? c->config.text.pad : 0;
    size_t b = (size_t)c->o.batch, side = (size_t)c->transform.size, lanes = b * (size_t)d->beams;
    c->picture = calloc(b, side * side * 3);
    c->logits = malloc(lanes * (size_t)c->config.text.vocab * sizeof *c->logits);
    c->len = calloc(b * (2 + (size_t)d->max_new), sizeof *c->len);
    IVL_CHECK(c->picture && c->logits && c->len, IVL_ENOMEM, "out of memory");
    c->out = c->len + 2 * b;
    ivl_decoder_model m = { c->params, &c->config, &c->config.text, "qllama.", c->o.compute };
    ivl_decoder_options size = { c->o.batch, d->beams, c->config.text.queries + (int)c->prompt_n + d->max_new };
    return ivl_decoder_create(c->dev, c->stream, &m, &size, record, c, &c->decoder);
}

ivl_status ivl_captioner_open(const char *model_dir, ivl_device *dev, const ivl_captioner_options *o,
                              ivl_captioner **c_p)
{
    ivl_captioner *c = calloc(1, sizeof *c);
    IVL_CHECK(c, IVL_ENOMEM, "out of memory");
    c->dev = dev, c->o = *o;
    if (c->o.batch <= 0) c->o.batch = 8;
    ivl_status s = ivl_stream_open(dev, &c->stream);
    if (s == IVL_OK) s = load(c, model_dir);
    c->transform =
        (ivl_transform){ .fit = IVL_FIT_SQUASH, .size = s == IVL_OK ? ivl_config_image_size(&c->config) : 0 };
    if (s == IVL_OK) s = prepare(c);
    if (s != IVL_OK) {
        ivl_captioner_close(c);
        return s;
    }
    *c_p = c;
    return IVL_OK;
}

void ivl_captioner_close(ivl_captioner *c)
{
    if (!c) return;
    ivl_decoder_destroy(c->decoder);
    ivl_params_destroy(c->params);
    ivl_tokenizer_close(c->tok);
    ivl_stream_close(c->stream);
    free(c->prompt), free(c->len), free(c->picture), free(c->logits), free(c);
}

int ivl_captioner_batch(const ivl_captioner *c) { return c->o.batch; }

static ivl_status step(void *ctx, const int32_t *token, float *logits) { return ivl_decoder_step(ctx, token, logits); }
static ivl_status reorder(void *ctx, const int32_t *parent) { return ivl_decoder_reorder(ctx, parent); }

/* Pictures and prompts into the decoder; rows past n repeat the last. */
static ivl_status feed(ivl_captioner *c, const ivl_picture *picture, int n)
{
    size_t bytes = (size_t)c->transform.size * (size_t)c->transform.size * 3, b = (size_t)c->o.batch;
    ivl_plan *plan = ivl_decoder_prompts(c->decoder);
    for (int i = 0; i < c->o.batch; i++) {
        const ivl_picture *p = &picture[i < n ? i : n - 1];
        IVL_TRY(ivl_transform_picture(&c->transform, p, c->picture + (size_t)i * bytes));
    }
    IVL_TRY(ivl_plan_write(plan, c->stream, c->pixels, c->picture, b * bytes));
    int32_t *ids = malloc(b * c->prompt_n * sizeof *ids);
    IVL_CHECK(ids, IVL_ENOMEM, "out of memory");
    for (size_t i = 0; i < b; i++) {
        memcpy(ids + i * c->prompt_n, c->prompt, c->prompt_n * sizeof *ids);
        c->len[i] = c->config.text.queries + (int)c->prompt_n;
    }
    ivl_status s = ivl_plan_write(plan, c->stream, c->ids, ids, b * c->prompt_n * sizeof *ids);
    free(ids);
    return s;
}

ivl_status ivl_captioner_run(ivl_captioner *c, const ivl_picture *picture, int n, char **text)
{
    IVL_CHECK(n > 0 && n <= c->o.batch, IVL_EINVAL, "%d pictures for a batch of %d", n, c->o.batch);
    ivl_decode_model m = { c->decoder, c->config.text.vocab, step, reorder, NULL };
    ivl_decode_rows rows = { .n = c->o.batch };
    int32_t *len = c->len + c->o.batch;
    IVL_TRY(feed(c, picture, n));
    IVL_TRY(ivl_decoder_prefill(c->decoder, c->len, c->logits));
    IVL_TRY(ivl_decode(&c->o.decode, &m, &rows, c->logits, c->out, len));
    for (int i = 0; i < n; i++) {
        ivl_status s =
            ivl_tokenizer_decode(c->tok, c->out + (int64_t)i * c->o.decode.max_new, (size_t)len[i], &text[i]);
        while (s != IVL_OK && i > 0) free(text[--i]);
        IVL_TRY(s);
    }
    return IVL_OK;
}
