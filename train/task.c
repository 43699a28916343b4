#include "train/task.h"

#include <stdlib.h>
#include <string.h>

#include "model/decoder.h"
#include "model/internvl.h"
#include "runtime/rng.h"
#include "train/step.h"

enum { CAPTION_PROMPT = 4, FIRST_WORD = 3 }; /* tokens; ids below it are special */

struct ivl_task {
    ivl_task_options  o;
    ivl_device       *dev;
    ivl_stream       *s;
    ivl_model_config  config;
    ivl_params       *params;
    ivl_step_plan    *step;    /* of training */
    ivl_buffer        slot, result;
    ivl_graph        *g;       /* of features */
    ivl_plan         *plan;
    ivl_decoder      *decoder; /* of captions */
    ivl_val           pixels, ids, len, last;
    float            *logits;
    int32_t          *token;
};

typedef struct kind {
    const char *name;
    unsigned    parts, stage;
    ivl_status (*open)(ivl_task *t);
} kind;

static int image_size(const ivl_task *t) { return ivl_config_image_size(&t->config); }
static size_t picture_bytes(const ivl_task *t) { return 3 * (size_t)image_size(t) * (size_t)image_size(t); }
static size_t of(const ivl_task *t, int n) { return (size_t)t->o.batch * (size_t)n; }

/* --- what goes in ------------------------------------------------------------------------------------------------- */

static void fill_pixels(const ivl_task *t, unsigned char *pixel)
{
    ivl_rng r = ivl_rng_make(1, "pixels");
    for (size_t i = 0; i < of(t, 1) * picture_bytes(t); i++) pixel[i] = (unsigned char)ivl_rng_below(r, 0, 0, i, 256);
}

/* BOS, words, EOS. */
static void fill_ids(const ivl_task *t, int32_t *ids, int rows, int n)
{
    ivl_rng r = ivl_rng_make(1, "words");
    uint32_t words = (uint32_t)(t->config.text.vocab - FIRST_WORD);
    for (int b = 0; b < rows; b++, ids += n) {
        for (int i = 0; i < n; i++) ids[i] = FIRST_WORD + (int32_t)ivl_rng_below(r, 1, (uint32_t)b, (uint64_t)i, words);
        ids[0] = 1, ids[n - 1] = 2;
    }
}

static void fill_with(int32_t *to, size_t n, int32_t value)
{
    for (size_t i = 0; i < n; i++) to[i] = value;
}

/* --- training ----------------------------------------------------------------------------------------------------- */

static int32_t *part(const ivl_task *t, size_t offset) { return (int32_t *)(void *)((char *)t->slot.host + offset); }

static void fill_record(ivl_task *t, bool stage2)
{
    const ivl_step_layout *l = ivl_step_layout_of(t->step);
    int n = t->o.text_len, rows = t->o.batch * (stage2 ? 3 : 1), whole = n + (stage2 ? t->config.text.queries : 0);
    fill_pixels(t, (unsigned char *)part(t, l->pixels));
    fill_ids(t, part(t, l->ids), rows, n);
    fill_with(part(t, l->len), (size_t)rows, whole), fill_with(part(t, l->last), of(t, 1), whole - 1);
    if (stage2) {
        fill_ids(t, part(t, l->labels), t->o.batch, n);
        fill_with(part(t, l->ignore), of(t, 1), 0);
        for (int i = 0; i < t->o.batch; i++) part(t, l->itm)[i] = i >= t->o.batch - t->o.batch / 2;
    }
    float *hyper = (float *)(void *)part(t, l->hyper);
    for (int i = 0; i < t->params->n_ranges; i++, hyper += 4)
        hyper[0] = 1e-5f, hyper[1] = 0.05f, hyper[2] = hyper[3] = 1;
}

static ivl_status open_step(ivl_task *t, ivl_step_stage stage)
{
    ivl_step_shape shape = { .stage = stage, .batch = t->o.batch, .micro = t->o.batch, .image_size = image_size(t),
                             .text_len = t->o.text_len };
    ivl_step_rule rule = { .adamw = { .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8 } };
    ivl_step_scope scope = { t->params, &t->config, t->o.dtype, NULL, NULL };
    IVL_TRY(ivl_step_create(t->dev, &scope, &shape, &rule, NULL, &t->step));
    IVL_TRY(ivl_step_bind(&t->step, 1));
    IVL_TRY(ivl_alloc(t->dev, IVL_MEM_PINNED, ivl_step_layout_of(t->step)->bytes, &t->slot));
    IVL_TRY(ivl_alloc(t->dev, IVL_MEM_PINNED, IVL_STEP_RESULT * sizeof(float), &t->result));
    fill_record(t, stage == IVL_STEP_STAGE2);
    return IVL_OK;
}

static ivl_status open_stage1(ivl_task *t) { return open_step(t, IVL_STEP_STAGE1); }
static ivl_status open_stage2(ivl_task *t) { return open_step(t, IVL_STEP_STAGE2); }

static ivl_status run_step(ivl_task *t)
{
    IVL_TRY(ivl_step_run(t->step, t->s, &t->slot, t->result, 0));
    return ivl_sync(t->s);
}

/* --- features ----------------------------------------------------------------------------------------------------- */

static ivl_status write_pixels(ivl_task *t, ivl_plan *plan)
{
    size_t bytes = of(t, 1) * picture_bytes(t);
    unsigned char *pixel = malloc(bytes);
    IVL_CHECK(pixel, IVL_ENOMEM, "out of memory");
    fill_pixels(t, pixel);
    ivl_status s = ivl_plan_write(plan, t->s, t->pixels, pixel, bytes);
    free(pixel);
    return s;
}

static ivl_status write_integers(ivl_task *t, ivl_val v, int32_t value)
{
    int32_t *x = malloc(of(t, 1) * sizeof *x);
    IVL_CHECK(x, IVL_ENOMEM, "out of memory");
    fill_with(x, of(t, 1), value);
    ivl_status s = ivl_plan_write(t->plan, t->s, v, x, of(t, 1) * sizeof *x);
    free(x);
    return s;
}

static ivl_status write_ids(ivl_task *t, ivl_plan *plan, int n)
{
    int32_t *ids = malloc(of(t, n) * sizeof *ids);
    IVL_CHECK(ids, IVL_ENOMEM, "out of memory");
    fill_ids(t, ids, t->o.batch, n);
    ivl_status s = ivl_plan_write(plan, t->s, t->ids, ids, of(t, n) * sizeof *ids);
    free(ids);
    return s;
}

static ivl_val declare_pixels(ivl_task *t, ivl_graph *g)
{
    int64_t n = image_size(t);
    return ivl_input(g, "pixels", IVL_U8, 4, (int64_t[]){ t->o.batch, n, n, 3 });
}

static ivl_val declare_ids(ivl_task *t, ivl_graph *g, int64_t n)
{
    return ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ t->o.batch, n });
}

static ivl_status plan_features(ivl_task *t, const ivl_scope *s, ivl_val features)
{
    ivl_keep(s->g, ivl_l2_norm(s->g, features));
    IVL_TRY(ivl_plan_create(t->dev, s->g, NULL, &t->plan));
    return ivl_plan_bind(&t->plan, 1);
}

static ivl_status begin(ivl_task *t, ivl_scope *s)
{
    IVL_TRY(ivl_graph_create(&t->g));
    *s = (ivl_scope){ .g = t->g, .params = t->params, .c = &t->config, .dtype = t->o.dtype };
    return IVL_OK;
}

static ivl_status open_image(ivl_task *t, bool queries)
{
    ivl_scope s;
    IVL_TRY(begin(t, &s));
    ivl_vit_input in = { .pixels = t->pixels = declare_pixels(t, t->g), .keep = IVL_NONE, .resize = IVL_NONE };
    IVL_TRY(plan_features(t, &s, queries ? ivl_encode_image_g(&s, ivl_vit(&s, &in, NULL)) : ivl_encode_image(&s, &in)));
    return write_pixels(t, t->plan);
}

static ivl_status open_image_c(ivl_task *t) { return open_image(t, false); }
static ivl_status open_image_g(ivl_task *t) { return open_image(t, true); }

static ivl_status open_text(ivl_task *t)
{
    ivl_scope s;
    int64_t b = t->o.batch;
    IVL_TRY(begin(t, &s));
    t->ids = declare_ids(t, t->g, t->o.text_len);
    t->len = ivl_input(t->g, "len", IVL_I32, 1, &b), t->last = ivl_input(t->g, "last", IVL_I32, 1, &b);
    IVL_TRY(plan_features(t, &s, ivl_encode_text(&s, t->ids, t->len, t->last)));
    IVL_TRY(write_integers(t, t->len, t->o.text_len));
    IVL_TRY(write_integers(t, t->last, t->o.text_len - 1));
    return write_ids(t, t->plan, t->o.text_len);
}

static ivl_status run_plan(ivl_task *t)
{
    IVL_TRY(ivl_plan_run(t->plan, t->s));
    return ivl_sync(t->s);
}

/* --- captions ----------------------------------------------------------------------------------------------------- */

static ivl_status record_prompt(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    ivl_task *t = ctx;
    ivl_vit_input in = { .pixels = t->pixels = declare_pixels(t, s->g), .keep = IVL_NONE, .resize = IVL_NONE };
    t->ids = declare_ids(t, s->g, CAPTION_PROMPT);
    *p = ivl_caption_prompt(s, ivl_vit(s, &in, NULL), t->ids);
    return IVL_OK;
}

static ivl_status open_caption(ivl_task *t)
{
    ivl_decoder_model m = { t->params, &t->config, &t->config.text, "qllama.", t->o.dtype };
    ivl_decoder_options o = { t->o.batch, 1, t->config.text.queries + CAPTION_PROMPT + t->o.new_tokens };
    t->logits = malloc(of(t, t->config.text.vocab) * sizeof *t->logits);
    t->token = malloc(2 * of(t, 1) * sizeof *t->token);
    IVL_CHECK(t->logits && t->token, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_decoder_create(t->dev, t->s, &m, &o, record_prompt, t, &t->decoder));
    t->plan = ivl_decoder_steps(t->decoder);
    IVL_TRY(write_pixels(t, ivl_decoder_prompts(t->decoder)));
    return write_ids(t, ivl_decoder_prompts(t->decoder), CAPTION_PROMPT);
}

static void most_likely(ivl_task *t)
{
    int v = t->config.text.vocab;
    for (int b = 0; b < t->o.batch; b++) {
        const float *l = t->logits + (size_t)b * (size_t)v;
        int best = 0;
        for (int i = 1; i < v; i++) best = l[i] > l[best] ? i : best;
        t->token[b] = best;
    }
}

static ivl_status run_caption(ivl_task *t)
{
    int32_t *len = t->token + t->o.batch;
    fill_with(len, of(t, 1), t->config.text.queries + CAPTION_PROMPT);
    IVL_TRY(ivl_decoder_prefill(t->decoder, len, t->logits));
    for (int i = 1; i < t->o.new_tokens; i++) {
        most_likely(t);
        IVL_TRY(ivl_decoder_step(t->decoder, t->token, t->logits));
    }
    return IVL_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static const kind kinds[] = {
    { "image_c", IVL_PART_C, 0, open_image_c },
    { "image_g", IVL_PART_C | IVL_PART_G, 0, open_image_g },
    { "text", IVL_PART_C, 0, open_text },
    { "stage1", IVL_PART_C, IVL_STAGE_1, open_stage1 },
    { "stage2", IVL_PARTS_ALL, IVL_STAGE_1 | IVL_STAGE_2, open_stage2 },
    { "caption", IVL_PARTS_ALL, 0, open_caption },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const char *ivl_task_name(int i) { return i >= 0 && i < KINDS ? kinds[i].name : NULL; }

static ivl_status load(ivl_task *t, const kind *k)
{
    ivl_params_options parts = { .parts = k->parts, .stage = k->stage };
    IVL_TRY(ivl_config_load(t->o.model, &t->config));
    if (t->o.layers > 0 && t->o.layers < t->config.vit.layers) t->config.vit.layers = t->o.layers;
    if (t->o.layers > 0 && t->o.layers < t->config.text.layers) t->config.text.layers = t->o.layers;
    if (t->o.image_size) t->config.force_image_size = t->o.image_size;
    IVL_TRY(ivl_config_check(&t->config));
    IVL_CHECK(!(k->parts & IVL_PART_G) || t->config.text.queries, IVL_EINVAL,
              "task %s needs a model with queries, and %s has none", k->name, t->o.model);
    IVL_TRY(ivl_params_create(&t->config, &parts, &t->params));
    IVL_TRY(ivl_params_alloc(t->params, t->dev, t->o.dtype, k->stage != 0));
    return ivl_params_init(t->params, t->s, 1);
}

static const kind *kind_of(const char *name)
{
    for (int i = 0; i < KINDS; i++)
        if (!strcmp(kinds[i].name, name)) return &kinds[i];
    return NULL;
}

ivl_status ivl_task_open(ivl_device *dev, const char *name, const ivl_task_options *o, ivl_task **t_p)
{
    const kind *k = kind_of(name);
    IVL_CHECK(k, IVL_EINVAL, "no task '%s': there are image_c, image_g, text, stage1, stage2, caption", name);
    IVL_CHECK(o->batch > 0 && o->text_len > 2 && o->new_tokens > 0, IVL_EINVAL,
              "a task needs a batch, texts of at least 3 tokens, and tokens to write");
    ivl_task *t = calloc(1, sizeof *t);
    IVL_CHECK(t, IVL_ENOMEM, "out of memory");
    t->o = *o, t->dev = dev;
    ivl_status s = ivl_stream_open(dev, &t->s);
    if (s == IVL_OK) s = load(t, k);
    if (s == IVL_OK) s = k->open(t);
    if (s != IVL_OK) {
        ivl_task_close(t);
        return s;
    }
    *t_p = t;
    return IVL_OK;
}

void ivl_task_close(ivl_task *t)
{
    if (!t) return;
    ivl_release(t->slot), ivl_release(t->result);
    ivl_step_destroy(t->step);
    if (!t->decoder) ivl_plan_destroy(t->plan);
    ivl_decoder_destroy(t->decoder);
    ivl_graph_destroy(t->g);
    ivl_params_destroy(t->params);
    ivl_stream_close(t->s);
    free(t->logits), free(t->token), free(t);
}

ivl_status ivl_task_run(ivl_task *t) { return t->step ? run_step(t) : t->decoder ? run_caption(t) : run_plan(t); }
ivl_plan *ivl_task_plan(const ivl_task *t) { return t->step ? ivl_step_whole(t->step) : t->plan; }
ivl_stream *ivl_task_stream(const ivl_task *t) { return t->s; }

double ivl_task_flops(const ivl_task *t)
{
    if (t->step) return ivl_step_sizes(t->step).flops;
    double flops = ivl_plan_sizes(t->plan).flops;
    if (!t->decoder) return flops;
    return ivl_plan_sizes(ivl_decoder_prompts(t->decoder)).flops + flops * (t->o.new_tokens - 1);
}
