/* One plan per text length, which share memory. A picture goes through the image tower once for all of its texts. */
#include "train/matcher.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"
#include "data/transform.h"
#include "model/checkpoint.h"
#include "model/internvl.h"
#include "model/positions.h"
#include "model/weights.h"
#include "runtime/dtype.h"

enum { PLANS = 3, MAX_TEXT = 80 }; /* 80 tokens: the reference's limit */
static const int text_len[PLANS] = { 16, 32, MAX_TEXT };

typedef struct head { ivl_graph *g; ivl_plan *plan; ivl_val pixels, ids, len, out; } head;

struct ivl_matcher {
    ivl_device         *dev;
    ivl_stream         *stream;
    ivl_model_config    config;
    ivl_params         *params;
    ivl_tokenizer      *tok;
    ivl_transform       transform;
    ivl_matcher_options o;
    ivl_buffer          slot;   /* pinned batch record */
    ivl_tensor          resize; /* position matrix to another size, without buffer: none */
    head                head[PLANS];
    int32_t            *ids, *len; /* [texts * batch, MAX_TEXT], in the order of the model's rows */
    void               *raw;       /* logits as the device has them */
    float              *logits;
};

ivl_status ivl_matcher_check(const char *model_dir)
{
    ivl_model_config c;
    ivl_weights *w = NULL;
    IVL_TRY(ivl_config_load(model_dir, &c));
    IVL_TRY(ivl_weights_open(model_dir, &w));
    bool has = c.text.queries && ivl_weights_find(w, "itm_head.weight") && ivl_weights_find(w, "query_tokens");
    ivl_weights_close(w);
    IVL_CHECK(has, IVL_EINVAL, "%s: this model has no head that matches pictures with texts: train stage 2 first",
              model_dir);
    return IVL_OK;
}

static ivl_status load(ivl_matcher *m, const char *dir)
{
    ivl_params_options parts = { .parts = IVL_PART_C | IVL_PART_G };
    ivl_load_options o = { .check_nan = true };
    IVL_TRY(ivl_matcher_check(dir));
    IVL_TRY(ivl_config_load(dir, &m->config));
    IVL_TRY(ivl_tokenizer_open(dir, &m->tok));
    IVL_CHECK(ivl_tokenizer_size(m->tok) <= m->config.text.vocab, IVL_EFORMAT,
              "%s: the tokenizer has %d tokens and the model %d: this tokenizer.model is of another model", dir,
              ivl_tokenizer_size(m->tok), m->config.text.vocab);
    IVL_TRY(ivl_params_create(&m->config, &parts, &m->params));
    IVL_TRY(ivl_checkpoint_match(dir, m->params, &o));
    IVL_TRY(ivl_params_alloc(m->params, m->dev, m->o.compute, false));
    return ivl_checkpoint_load(dir, m->params, m->stream, &o, NULL);
}

static ivl_status choose_size(ivl_matcher *m)
{
    int from = ivl_config_grid(&m->config), patch = m->config.vit.patch;
    int size = m->o.image_size ? m->o.image_size : ivl_config_image_size(&m->config);
    IVL_CHECK(size % patch == 0, IVL_EINVAL, "image size %d is no multiple of the patch size %d", size, patch);
    m->transform = (ivl_transform){ .fit = IVL_FIT_SQUASH, .size = size };
    if (size / patch == from) return IVL_OK;
    return ivl_pos_tensor(m->stream, m->o.compute, from, size / patch, &m->resize);
}

static ivl_status record(ivl_matcher *m, head *h, int64_t len)
{
    int64_t b = m->o.batch, rows = b * m->o.texts, s = m->transform.size;
    IVL_TRY(ivl_graph_create(&h->g));
    ivl_scope scope = { h->g, m->params, &m->config, m->o.compute, false };
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    if (m->resize.buf.handle) in.resize = ivl_extern(h->g, &m->resize, NULL);
    in.pixels = h->pixels = ivl_input(h->g, "pixels", IVL_U8, 4, (int64_t[]){ b, s, s, 3 });
    h->ids = ivl_input(h->g, "ids", IVL_I32, 2, (int64_t[]){ rows, len });
    h->len = ivl_input(h->g, "len", IVL_I32, 1, &rows);
    h->out = ivl_keep(h->g, ivl_match_logits(&scope, ivl_vit(&scope, &in, NULL), h->ids, h->len));
    return ivl_plan_create(m->dev, h->g, NULL, &h->plan);
}

static ivl_status prepare(ivl_matcher *m)
{
    ivl_plan *plan[PLANS];
    size_t io = 0, rows = (size_t)m->o.batch * (size_t)m->o.texts;
    IVL_TRY(choose_size(m));
    for (int i = 0; i < PLANS; i++) {
        IVL_TRY(record(m, &m->head[i], text_len[i]));
        plan[i] = m->head[i].plan;
        if (ivl_plan_io_bytes(plan[i]) > io) io = ivl_plan_io_bytes(plan[i]);
    }
    IVL_TRY(ivl_plan_bind(plan, PLANS));
    m->ids = calloc(rows * (MAX_TEXT + 1), sizeof *m->ids);
    m->raw = malloc(ivl_dtype_bytes(m->o.compute, (int64_t)rows * 2));
    m->logits = malloc(rows * 2 * sizeof *m->logits);
    IVL_CHECK(m->ids && m->raw && m->logits, IVL_ENOMEM, "out of memory");
    m->len = m->ids + rows * MAX_TEXT;
    return ivl_alloc(m->dev, IVL_MEM_PINNED, io, &m->slot);
}

ivl_status ivl_matcher_open(const char *model_dir, ivl_device *dev, const ivl_matcher_options *o, ivl_matcher **m_p)
{
    ivl_matcher *m = calloc(1, sizeof *m);
    IVL_CHECK(m, IVL_ENOMEM, "out of memory");
    m->dev = dev, m->o = *o;
    if (m->o.batch <= 0) m->o.batch = 8;
    if (m->o.texts <= 0) m->o.texts = 1;
    ivl_status s = ivl_stream_open(dev, &m->stream);
    if (s == IVL_OK) s = load(m, model_dir);
    if (s == IVL_OK) s = prepare(m);
    if (s != IVL_OK) {
        ivl_matcher_close(m);
        return s;
    }
    *m_p = m;
    return IVL_OK;
}

void ivl_matcher_close(ivl_matcher *m)
{
    if (!m) return;
    for (int i = 0; i < PLANS; i++) {
        ivl_plan_destroy(m->head[i].plan);
        ivl_graph_destroy(m->head[i].g);
    }
    ivl_release(m->slot), ivl_release(m->resize.buf);
    ivl_params_destroy(m->params);
    ivl_tokenizer_close(m->tok);
    ivl_stream_close(m->stream);
    free(m->ids), free(m->raw), free(m->logits), free(m);
}

int ivl_matcher_batch(const ivl_matcher *m) { return m->o.batch; }

/* Tokens of every row; rows of pictures past n repeat the first's. The longest text says which plan. */
static ivl_status take_texts(ivl_matcher *m, const char *const *text, int n, const head **h_p)
{
    int b = m->o.batch, longest = 0, which = 0;
    for (int i = 0; i < b; i++)
        for (int r = 0; r < m->o.texts; r++) {
            int row = r * b + i;
            const char *mine = text[(i < n ? i : 0) * m->o.texts + r];
            IVL_TRY(ivl_text_encode(m->tok, "", mine, MAX_TEXT, m->ids + (int64_t)row * MAX_TEXT, &m->len[row]));
            if (m->len[row] > longest) longest = m->len[row];
        }
    while (text_len[which] < longest) which++;
    *h_p = &m->head[which];
    char *ids = (char *)m->slot.host + ivl_plan_io_offset(m->head[which].plan, m->head[which].ids);
    char *len = (char *)m->slot.host + ivl_plan_io_offset(m->head[which].plan, m->head[which].len);
    size_t bytes = (size_t)text_len[which] * sizeof *m->ids;
    for (int row = 0; row < b * m->o.texts; row++) {
        int32_t valid = m->config.text.queries + m->len[row];
        memcpy(ids + bytes * (size_t)row, m->ids + (int64_t)row * MAX_TEXT, bytes);
        memcpy(len + sizeof valid * (size_t)row, &valid, sizeof valid);
    }
    return IVL_OK;
}

static ivl_status take_pictures(ivl_matcher *m, const head *h, const ivl_picture *picture, int n)
{
    size_t bytes = (size_t)m->transform.size * (size_t)m->transform.size * 3;
    uint8_t *dst = (uint8_t *)m->slot.host + ivl_plan_io_offset(h->plan, h->pixels);
    for (int i = 0; i < m->o.batch; i++) {
        if (i < n) IVL_TRY(ivl_transform_picture(&m->transform, &picture[i], dst + bytes * (size_t)i));
        else memcpy(dst + bytes * (size_t)i, dst, bytes);
    }
    return IVL_OK;
}

ivl_status ivl_matcher_run(ivl_matcher *m, const ivl_picture *picture, const char *const *text, int n, float *score)
{
    const head *h = NULL;
    int b = m->o.batch, texts = m->o.texts;
    int64_t numbers = 2 * (int64_t)b * texts;
    IVL_CHECK(n > 0 && n <= b, IVL_EINVAL, "%d pictures for a batch of %d", n, b);
    IVL_TRY(take_texts(m, text, n, &h));
    IVL_TRY(take_pictures(m, h, picture, n));
    IVL_TRY(ivl_plan_feed(h->plan, m->stream, m->slot, 0));
    IVL_TRY(ivl_plan_run(h->plan, m->stream));
    IVL_TRY(ivl_plan_read(h->plan, m->stream, h->out, m->raw, ivl_dtype_bytes(m->o.compute, numbers)));
    ivl_convert(m->logits, IVL_F32, m->raw, m->o.compute, numbers);
    for (int i = 0; i < n; i++)
        for (int r = 0; r < texts; r++) {
            const float *x = m->logits + 2 * ((int64_t)r * b + i);
            score[i * texts + r] = 1 / (1 + expf(x[0] - x[1]));
        }
    return IVL_OK;
}
