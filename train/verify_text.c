/* Captions and replies: token for token what the case has. */
#include "train/parity.h"

#include <stdlib.h>
#include <string.h>

#include "model/decoder.h"
#include "train/decode.h"

static int integer(const json_t *o, const char *key, int otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int)json_integer_value(v) : otherwise;
}

static ivl_decode_options options_of(const json_t *o, const ivl_text_config *c)
{
    ivl_decode_options d = ivl_decode_defaults();
    const json_t *penalty = json_object_get(o, "length_penalty");
    d.max_new = integer(o, "max_new", 30), d.min_new = integer(o, "min_new", 0), d.beams = integer(o, "beams", 1);
    d.length_penalty = json_is_number(penalty) ? json_number_value(penalty) : 1;
    d.eos[0] = c->eos, d.n_eos = 1, d.pad = c->pad;
    return d;
}

static ivl_status step(void *ctx, const int32_t *token, float *logits) { return ivl_decoder_step(ctx, token, logits); }
static ivl_status reorder(void *ctx, const int32_t *parent) { return ivl_decoder_reorder(ctx, parent); }

/* out[rows,max_new] against the case's [rows,w]: equal, and nothing after. */
static ivl_status check_tokens(ivl_parity *c, const char *name, const int32_t *out, int rows, int width, int32_t pad)
{
    int rank;
    int64_t dim[IVL_MAX_RANK];
    IVL_TRY(ivl_parity_shape(c, name, &rank, dim));
    IVL_CHECK(rank == 2 && dim[0] == rows, IVL_EFORMAT, "%s: %s has another shape", c->dir, name);
    double *got = malloc((size_t)(rows * dim[1] + 1) * sizeof *got);
    IVL_CHECK(got, IVL_ENOMEM, "out of memory");
    for (int r = 0; r < rows; r++) {
        for (int64_t i = 0; i < dim[1]; i++) got[r * dim[1] + i] = i < width ? out[r * width + i] : pad;
        for (int64_t i = dim[1]; i < width; i++)
            if (out[r * width + i] != pad) got[r * dim[1]] = -1; /* goes on where the case has ended */
    }
    ivl_status s = ivl_parity_compare(c, name, got, rows * dim[1]);
    free(got);
    return s;
}

ivl_status ivl_verify_decode(ivl_parity *c, const char *name, const ivl_decoder_model *m, const json_t *settings,
                             const ivl_parity_prompts *p)
{
    ivl_parity_run r = { .c = c };
    ivl_decoder *d = NULL;
    ivl_decode_options o = options_of(settings, m->text);
    ivl_decoder_options size = { p->rows, o.beams, p->tokens + o.max_new };
    size_t lanes = (size_t)p->rows * (size_t)o.beams;
    float *logits = malloc(lanes * (size_t)m->text->vocab * sizeof *logits);
    int32_t *out = calloc((size_t)p->rows * (size_t)(o.max_new + 1), sizeof *out);
    ivl_status s = logits && out ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    ivl_parity_prompts q = *p;
    q.run = &r;
    if (s == IVL_OK) s = ivl_decoder_create(c->dev, c->stream, m, &size, p->record, &q, &d);
    for (int i = 0; i < r.n_feed && s == IVL_OK; i++)
        s = ivl_plan_write(ivl_decoder_prompts(d), c->stream, r.feed[i].v, r.feed[i].data, r.feed[i].bytes);
    if (s == IVL_OK) s = ivl_decoder_prefill(d, p->len, logits);
    ivl_decode_model model = { d, m->text->vocab, step, reorder, NULL };
    ivl_decode_rows rows = { .n = p->rows };
    int32_t *len = out + (size_t)p->rows * (size_t)o.max_new;
    if (s == IVL_OK) s = ivl_decode(&o, &model, &rows, logits, out, len);
    if (s == IVL_OK) s = check_tokens(c, name, out, p->rows, o.max_new, o.pad);
    for (int i = 0; i < r.n_feed; i++) free(r.feed[i].data);
    ivl_decoder_destroy(d);
    free(logits), free(out);
    return s;
}

/* --- captions -------------------------------------------------------------------------------------- */

typedef struct captions { int64_t rows, tokens; int32_t *ids, *len; } captions;

/* The prompts, padded on the right instead: positions count valid tokens, so nothing else changes. */
static ivl_status read_prompts(const ivl_parity *c, captions *k)
{
    int rank;
    int64_t dim[IVL_MAX_RANK], n;
    double *id = NULL, *valid = NULL;
    IVL_TRY(ivl_parity_shape(c, "in.caption_ids", &rank, dim));
    IVL_CHECK(rank == 2, IVL_EFORMAT, "%s: in.caption_ids is not a matrix", c->dir);
    k->rows = dim[0], k->tokens = dim[1];
    k->ids = calloc((size_t)(dim[0] * dim[1] + dim[0]), sizeof *k->ids);
    ivl_status s = k->ids ? ivl_parity_data(c, "in.caption_ids", &id, &n)
                          : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = ivl_parity_data(c, "in.caption_mask", &valid, &n);
    for (int64_t r = 0; s == IVL_OK && r < dim[0]; r++) {
        k->len = k->ids + dim[0] * dim[1];
        for (int64_t i = 0; i < dim[1]; i++)
            if (valid[r * dim[1] + i] != 0) k->ids[r * dim[1] + k->len[r]++] = (int32_t)id[r * dim[1] + i];
        k->len[r] += c->config.text.queries;
    }
    free(id), free(valid);
    return s;
}

static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    ivl_parity_prompts *q = ctx;
    const captions *k = q->ctx;
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    q->run->s = *s;
    in.pixels = ivl_parity_input(q->run, "in.pixels", IVL_F32);
    ivl_val ids = ivl_parity_feed(q->run, "prompts", IVL_I32, 2, (int64_t[]){ k->rows, k->tokens }, k->ids);
    *p = ivl_caption_prompt(s, ivl_vit(s, &in, NULL), ids);
    return IVL_OK;
}

ivl_status ivl_verify_captions(ivl_parity *c)
{
    captions k = { 0 };
    const char *name;
    json_t *settings, *all = json_object_get(c->manifest, "captions");
    char line[96];
    if (!json_is_object(all) || !ivl_parity_has(c, "in.caption_ids") || !c->config.text.queries) return IVL_OK;
    ivl_status s = read_prompts(c, &k);
    ivl_decoder_model m = { c->params, &c->config, &c->config.text, "qllama.", c->o->compute };
    ivl_parity_prompts p = { (int)k.rows, (int)k.tokens + c->config.text.queries, k.len, record, &k, NULL };
    json_object_foreach(all, name, settings) {
        snprintf(line, sizeof line, "caption.%s", name);
        if (s == IVL_OK && ivl_parity_has(c, line)) s = ivl_verify_decode(c, line, &m, settings, &p);
    }
    free(k.ids);
    return s;
}
