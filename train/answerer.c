#include "train/answerer.h"

#include <stdlib.h>
#include <string.h>

#include "data/conversation.h"
#include "model/decoder.h"

struct ivl_answerer {
    const ivl_language  *l;
    ivl_stream          *stream;
    ivl_answerer_options o;
    int                  side;
    int64_t              k;                    /* tokens of a picture */
    ivl_decoder         *decoder;
    ivl_val              in_pixels, in_ids, in_index, in_inverse;
    int32_t             *ids, *index, *inverse; /* [batch,tokens] twice, [batch*pictures,k] */
    uint8_t             *pixels;                /* [batch*pictures,S,S,3] */
    float               *logits;
    /* of the answers that are being given */
    bool (*heard)(void *ctx, int row, int32_t token);
    void  *ctx;
};

int ivl_language_side(const ivl_language *l)
{
    return l->config.no_tower ? 0 : ivl_config_image_size(&l->config.tower);
}

int64_t ivl_language_tokens(const ivl_language *l, const int32_t *ids, size_t n)
{
    int64_t marks = ivl_prompt_pictures(ids, n), side = ivl_language_side(l);
    return marks && side ? (int64_t)n + marks * (ivl_chat_picture_tokens(&l->config, side) - 1) : (int64_t)n;
}

static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    ivl_answerer *a = ctx;
    ivl_graph *g = s->g;
    int64_t pictures = (int64_t)a->o.batch * a->o.pictures, text[] = { a->o.batch, a->o.tokens };
    a->in_ids = ivl_input(g, "ids", IVL_I32, 2, text);
    ivl_llama m = ivl_chat_llm(s, &a->l->config);
    *p = (ivl_prompt){ IVL_NONE, IVL_NONE, 0, IVL_MASK_CAUSAL };
    if (!pictures) {
        p->x = ivl_llama_embed(&m, a->in_ids);
        return IVL_OK;
    }
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    in.pixels = a->in_pixels = ivl_input(g, "pixels", IVL_U8, 4, (int64_t[]){ pictures, a->side, a->side, 3 });
    a->in_index = ivl_input(g, "index", IVL_I32, 2, text);
    a->in_inverse = ivl_input(g, "inverse", IVL_I32, 2, (int64_t[]){ pictures, a->k });
    ivl_chat_input c = { a->in_ids, IVL_NONE, a->in_index, a->in_inverse };
    p->x = ivl_chat_embed(s, &a->l->config, ivl_chat_pictures(s, &a->l->config, &in), &c);
    return IVL_OK;
}

ivl_status ivl_answerer_create(ivl_device *dev, ivl_stream *s, const ivl_language *l, const ivl_answerer_options *o,
                               ivl_answerer **a_p)
{
    ivl_answerer *a = calloc(1, sizeof *a);
    IVL_CHECK(a, IVL_ENOMEM, "out of memory");
    a->l = l, a->stream = s, a->o = *o, a->side = ivl_language_side(l);
    a->k = o->pictures ? ivl_chat_picture_tokens(&l->config, a->side) : 0;
    size_t text = (size_t)o->batch * (size_t)o->tokens, pictures = (size_t)o->batch * (size_t)o->pictures;
    size_t lanes = (size_t)o->batch * (size_t)o->decode->beams, side = (size_t)a->side;
    ivl_decoder_model m = { l->params, &l->config.tower, &l->config.llm, "llm.", o->compute };
    ivl_decoder_options size = { o->batch, o->decode->beams, (int)o->tokens + o->decode->max_new };
    a->ids = calloc(2 * text + pictures * (size_t)a->k + 1, sizeof *a->ids);
    a->pixels = calloc(pictures + 1, side * side * 3 + 1);
    a->logits = malloc(lanes * (size_t)l->config.llm.vocab * sizeof *a->logits);
    ivl_status status = a->ids && a->pixels && a->logits
                            ? ivl_decoder_create(dev, s, &m, &size, record, a, &a->decoder)
                            : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (status != IVL_OK) {
        ivl_answerer_destroy(a);
        return status;
    }
    a->index = a->ids + text, a->inverse = a->index + text;
    *a_p = a;
    return IVL_OK;
}

void ivl_answerer_destroy(ivl_answerer *a)
{
    if (!a) return;
    ivl_decoder_destroy(a->decoder);
    free(a->ids), free(a->pixels), free(a->logits), free(a);
}

/* Row b: its ids with k positions for each picture. */
static ivl_status splice(ivl_answerer *a, const ivl_answerer_row *row, int b, int32_t *len_p)
{
    int64_t first = (int64_t)b * a->o.tokens, marks = ivl_prompt_pictures(row->ids, row->n);
    IVL_CHECK(marks == a->o.pictures, IVL_EINVAL,
              "the conversation has %lld marks \"<image>\" and %d pictures were shown", (long long)marks,
              a->o.pictures);
    int64_t tokens = (int64_t)row->n + marks * (a->k - 1);
    IVL_CHECK(tokens <= a->o.tokens, IVL_EINVAL, "a prompt of %lld tokens; at most %lld", (long long)tokens,
              (long long)a->o.tokens);
    ivl_splice to = { a->ids, a->index, a->inverse, NULL, first, (int64_t)b * a->o.pictures, a->k };
    *len_p = (int32_t)ivl_prompt_splice(&to, row->ids, NULL, row->n);
    for (int64_t at = first + *len_p; at < first + a->o.tokens; at++) a->ids[at] = 0, a->index[at] = -1;
    size_t bytes = (size_t)a->o.pictures * (size_t)a->side * (size_t)a->side * 3;
    if (bytes) memcpy(a->pixels + bytes * (size_t)b, row->pixels, bytes);
    return IVL_OK;
}

static ivl_status feed(ivl_answerer *a)
{
    ivl_plan *plan = ivl_decoder_prompts(a->decoder);
    size_t text = (size_t)a->o.batch * (size_t)a->o.tokens * sizeof *a->ids, side = (size_t)a->side;
    size_t pictures = (size_t)a->o.batch * (size_t)a->o.pictures;
    IVL_TRY(ivl_plan_write(plan, a->stream, a->in_ids, a->ids, text));
    if (!pictures) return IVL_OK;
    IVL_TRY(ivl_plan_write(plan, a->stream, a->in_pixels, a->pixels, pictures * side * side * 3));
    IVL_TRY(ivl_plan_write(plan, a->stream, a->in_index, a->index, text));
    return ivl_plan_write(plan, a->stream, a->in_inverse, a->inverse, pictures * (size_t)a->k * sizeof *a->inverse);
}

static ivl_status step(void *ctx, const int32_t *token, float *logits)
{
    return ivl_decoder_step(((ivl_answerer *)ctx)->decoder, token, logits);
}
static ivl_status reorder(void *ctx, const int32_t *parent)
{
    return ivl_decoder_reorder(((ivl_answerer *)ctx)->decoder, parent);
}
static bool hear(void *ctx, int row, int32_t token)
{
    ivl_answerer *a = ctx;
    return a->heard(a->ctx, row, token);
}

ivl_status ivl_answerer_run(ivl_answerer *a, const ivl_answerer_row *row, int n,
                            bool (*heard)(void *ctx, int row, int32_t token), void *ctx, int32_t *out, int32_t *len)
{
    IVL_CHECK(n > 0 && n <= a->o.batch, IVL_EINVAL, "%d prompts for a batch of %d", n, a->o.batch);
    for (int b = 0; b < a->o.batch; b++) IVL_TRY(splice(a, &row[b < n ? b : n - 1], b, &len[b]));
    IVL_TRY(feed(a));
    IVL_TRY(ivl_decoder_prefill(a->decoder, len, a->logits));
    a->heard = heard, a->ctx = ctx;
    ivl_decode_model m = { a, a->l->config.llm.vocab, step, reorder, heard ? hear : NULL };
    return ivl_decode(a->o.decode, &m, &(ivl_decode_rows){ .n = a->o.batch }, a->logits, out, len);
}
