#include "model/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"

/* A graph, its plan and the record of its inputs. */
typedef struct part { ivl_graph *g; ivl_plan *plan; ivl_buffer slot; } part;

struct ivl_decoder {
    ivl_decoder_model   m;
    ivl_decoder_options o;
    ivl_device         *dev;
    ivl_stream         *s;
    int                 rows;
    part                prompt, step, reorder;
    ivl_val             prompt_len, prompt_last, prompt_at, prompt_logits; /* inputs and output of prompt */
    ivl_val             ids, pos, len, logits;                             /* of step */
    ivl_val             parent, parent_len;                                /* of reorder */
    ivl_tensor         *k, *v;                                             /* [layers] */
    int32_t            *length, *text;                                     /* of every row so far; scratch */
    void               *raw;                                               /* logits as the device has them */
};

ivl_plan *ivl_decoder_prompts(ivl_decoder *d) { return d->prompt.plan; }
ivl_plan *ivl_decoder_steps(ivl_decoder *d) { return d->step.plan; }

static ivl_status begin(ivl_decoder *d, part *q, ivl_scope *s)
{
    IVL_TRY(ivl_graph_create(&q->g));
    *s = (ivl_scope){ .g = q->g, .params = d->m.params, .c = d->m.config, .dtype = d->m.dtype };
    return IVL_OK;
}

static ivl_val integers(ivl_graph *g, const char *name, int64_t n) { return ivl_input(g, name, IVL_I32, 1, &n); }

static ivl_status record_prompt(ivl_decoder *d, ivl_prompt_record record, void *ctx)
{
    ivl_scope s;
    ivl_prompt p = { .x = IVL_NONE, .vision = IVL_NONE };
    IVL_TRY(begin(d, &d->prompt, &s));
    IVL_TRY(record(ctx, &s, &p));
    IVL_TRY(ivl_graph_status(s.g));
    ivl_llama m = { &s, d->m.text, d->m.prefix };
    d->prompt_len = integers(s.g, "lengths", d->o.batch), d->prompt_last = integers(s.g, "last", d->o.batch);
    d->prompt_at = integers(s.g, "first row", d->o.batch);
    ivl_kv kv = { d->k, d->v, d->prompt_at, false };
    ivl_llama_input in = { .len = d->prompt_len, .mask = p.mask, .queries = p.queries, .pos = IVL_NONE, .kv = &kv,
                           .vision = p.vision };
    ivl_val x = ivl_gather_rows(s.g, ivl_llama_layers(&m, p.x, &in, NULL), d->prompt_last);
    d->prompt_logits = ivl_keep(s.g, ivl_llama_logits(&m, ivl_llama_norm(&m, x)));
    return ivl_plan_create(d->dev, s.g, NULL, &d->prompt.plan);
}

static ivl_status record_step(ivl_decoder *d)
{
    ivl_scope s;
    IVL_TRY(begin(d, &d->step, &s));
    ivl_llama m = { &s, d->m.text, d->m.prefix };
    int64_t dim[] = { d->rows, 1 };
    d->ids = ivl_input(s.g, "ids", IVL_I32, 2, dim), d->pos = ivl_input(s.g, "positions", IVL_I32, 2, dim);
    d->len = integers(s.g, "lengths", d->rows);
    ivl_kv kv = { d->k, d->v, d->pos, true };
    ivl_llama_input in = { .len = d->len, .mask = IVL_MASK_FULL, .pos = d->pos, .kv = &kv, .vision = IVL_NONE };
    ivl_val x = ivl_llama_layers(&m, ivl_llama_embed(&m, d->ids), &in, NULL);
    d->logits = ivl_keep(s.g, ivl_llama_logits(&m, ivl_llama_norm(&m, x)));
    return ivl_plan_create(d->dev, s.g, NULL, &d->step.plan);
}

static ivl_status record_reorder(ivl_decoder *d)
{
    ivl_scope s;
    IVL_TRY(begin(d, &d->reorder, &s));
    d->parent = integers(s.g, "parents", d->rows), d->parent_len = integers(s.g, "lengths", d->rows);
    for (int i = 0; i < d->m.text->layers; i++) {
        ivl_kv_reorder(s.g, ivl_extern(s.g, &d->k[i], NULL), d->parent, d->parent_len);
        ivl_kv_reorder(s.g, ivl_extern(s.g, &d->v[i], NULL), d->parent, d->parent_len);
    }
    return ivl_plan_create(d->dev, s.g, NULL, &d->reorder.plan);
}

static ivl_status make_cache(ivl_decoder *d)
{
    const ivl_text_config *c = d->m.text;
    int64_t dim[] = { d->rows, d->o.most, (int64_t)c->width / c->heads * c->kv_heads };
    d->k = calloc(2 * (size_t)c->layers + 1, sizeof *d->k), d->v = d->k ? d->k + c->layers : NULL;
    IVL_CHECK(d->k, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < 2 * c->layers; i++) {
        ivl_tensor *t = &d->k[i];
        *t = ivl_tensor_make(d->m.dtype, 3, dim);
        t->name = i < c->layers ? "keys" : "values";
        size_t bytes = ivl_dtype_bytes(t->dtype, ivl_numel(t));
        IVL_TRY(ivl_alloc(d->dev, IVL_MEM_DEVICE, bytes, &t->buf));
        IVL_TRY(ivl_fill(d->s, t->buf, 0, bytes / 4 * 4, 0)); /* what is not valid must be finite */
    }
    return IVL_OK;
}

static ivl_status make_host(ivl_decoder *d)
{
    d->length = calloc(2 * (size_t)d->rows, sizeof *d->length);
    d->raw = malloc((size_t)d->rows * (size_t)d->m.text->vocab * sizeof(double));
    IVL_CHECK(d->length && d->raw, IVL_ENOMEM, "out of memory");
    d->text = d->length + d->rows;
    return ivl_alloc(d->dev, IVL_MEM_PINNED, ivl_plan_io_bytes(d->step.plan), &d->step.slot);
}

ivl_status ivl_decoder_create(ivl_device *dev, ivl_stream *s, const ivl_decoder_model *m, const ivl_decoder_options *o,
                              ivl_prompt_record record, void *ctx, ivl_decoder **d_p)
{
    IVL_CHECK(o->batch > 0 && o->beams > 0 && o->most > 0, IVL_EINVAL, "a decoder needs prompts, rows and room");
    ivl_decoder *d = calloc(1, sizeof *d);
    IVL_CHECK(d, IVL_ENOMEM, "out of memory");
    d->m = *m, d->o = *o, d->dev = dev, d->s = s, d->rows = o->batch * o->beams;
    ivl_status status = make_cache(d);
    if (status == IVL_OK) status = record_prompt(d, record, ctx);
    if (status == IVL_OK) status = record_step(d);
    if (status == IVL_OK && o->beams > 1) status = record_reorder(d);
    ivl_plan *plans[] = { d->prompt.plan, d->step.plan, d->reorder.plan };
    if (status == IVL_OK) status = ivl_plan_bind(plans, o->beams > 1 ? 3 : 2);
    if (status == IVL_OK) status = make_host(d);
    if (status != IVL_OK) {
        ivl_decoder_destroy(d);
        return status;
    }
    *d_p = d;
    return IVL_OK;
}

void ivl_decoder_destroy(ivl_decoder *d)
{
    if (!d) return;
    part *q[] = { &d->prompt, &d->step, &d->reorder };
    for (int i = 0; i < 3; i++) {
        ivl_plan_destroy(q[i]->plan);
        ivl_graph_destroy(q[i]->g);
        ivl_release(q[i]->slot);
    }
    for (int i = 0; d->k && i < 2 * d->m.text->layers; i++) ivl_release(d->k[i].buf);
    free(d->k), free(d->length), free(d->raw), free(d);
}

/* --- running -------------------------------------------------------------------------------------- */

/* logits[rows,V] as floats. */
static ivl_status read_logits(ivl_decoder *d, const part *q, ivl_val v, float *logits)
{
    const ivl_tensor *t = ivl_plan_tensor(q->plan, v);
    int64_t n = ivl_numel(t);
    IVL_TRY(ivl_plan_read(q->plan, d->s, v, d->raw, ivl_dtype_bytes(t->dtype, n)));
    ivl_convert(logits, IVL_F32, d->raw, t->dtype, n);
    return IVL_OK;
}

static ivl_status put(ivl_decoder *d, const part *q, ivl_val v, const int32_t *values, int n)
{
    return ivl_plan_write(q->plan, d->s, v, values, (size_t)n * sizeof *values);
}

ivl_status ivl_decoder_prefill(ivl_decoder *d, const int32_t *len, float *logits)
{
    int b = d->o.batch, beams = d->o.beams, v = d->m.text->vocab;
    int32_t *last = d->text;
    for (int i = 0; i < b; i++)
        IVL_CHECK(len[i] > 0 && len[i] <= d->o.most, IVL_EINVAL, "a prompt of %d tokens has no room in %d", len[i],
                  d->o.most);
    IVL_TRY(put(d, &d->prompt, d->prompt_len, len, b));
    for (int i = 0; i < b; i++) last[i] = len[i] - 1;
    IVL_TRY(put(d, &d->prompt, d->prompt_last, last, b));
    memset(last, 0, (size_t)b * sizeof *last);
    IVL_TRY(put(d, &d->prompt, d->prompt_at, last, b));
    IVL_TRY(ivl_plan_run(d->prompt.plan, d->s));
    IVL_TRY(read_logits(d, &d->prompt, d->prompt_logits, logits));
    for (int r = d->rows - 1; r >= 0; r--) {
        d->length[r] = len[r / beams], d->text[r] = r / beams * beams;
        memmove(logits + (size_t)r * (size_t)v, logits + (size_t)(r / beams) * (size_t)v, (size_t)v * sizeof *logits);
    }
    return beams > 1 ? ivl_decoder_reorder(d, d->text) : IVL_OK;
}

ivl_status ivl_decoder_step(ivl_decoder *d, const int32_t *token, float *logits)
{
    char *slot = d->step.slot.host;
    int32_t *ids = (int32_t *)(void *)(slot + ivl_plan_io_offset(d->step.plan, d->ids));
    int32_t *pos = (int32_t *)(void *)(slot + ivl_plan_io_offset(d->step.plan, d->pos));
    int32_t *len = (int32_t *)(void *)(slot + ivl_plan_io_offset(d->step.plan, d->len));
    for (int r = 0; r < d->rows; r++) {
        IVL_CHECK(d->length[r] < d->o.most, IVL_EINVAL, "no room for more than %d tokens", d->o.most);
        ids[r] = token[r], pos[r] = d->length[r], len[r] = ++d->length[r];
    }
    IVL_TRY(ivl_plan_feed(d->step.plan, d->s, d->step.slot, 0));
    IVL_TRY(ivl_plan_run(d->step.plan, d->s));
    return read_logits(d, &d->step, d->logits, logits); /* waits */
}

ivl_status ivl_decoder_reorder(ivl_decoder *d, const int32_t *parent)
{
    bool same = true;
    for (int r = 0; r < d->rows; r++) same = same && parent[r] == r;
    if (same) return IVL_OK;
    IVL_CHECK(d->reorder.plan, IVL_EINVAL, "rows of a decoder without beams stay where they are");
    int32_t *len = malloc((size_t)d->rows * sizeof *len);
    IVL_CHECK(len, IVL_ENOMEM, "out of memory");
    for (int r = 0; r < d->rows; r++) len[r] = d->length[parent[r]];
    memcpy(d->length, len, (size_t)d->rows * sizeof *len);
    ivl_status s = put(d, &d->reorder, d->parent, parent, d->rows);
    if (s == IVL_OK) s = put(d, &d->reorder, d->parent_len, len, d->rows);
    free(len);
    return s == IVL_OK ? ivl_plan_run(d->reorder.plan, d->s) : s;
}
