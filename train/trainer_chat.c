#include "train/trainer_chat.h"

#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/llm.h"
#include "runtime/dtype.h"
#include "runtime/file.h"
#include "train/trainer.h"

/* --- configuration ------------------------------------------------------------------------------------------------ */

/* Stage 1 leaves them out of its files, whatever its configuration says. */
static ivl_status has_queries(const char *model, bool *has_p)
{
    ivl_weights *w = NULL;
    IVL_TRY(ivl_weights_open(model, &w));
    *has_p = ivl_weights_find(w, "query_tokens") != NULL;
    ivl_weights_close(w);
    return IVL_OK;
}

/* A tower and a language model become a chat model, as in LLaVA: projectors of two linears. */
static ivl_status assemble(const ivl_recipe *r, ivl_chat_config *c)
{
    ivl_weights *w = NULL;
    *c = (ivl_chat_config){ .projector_depth = 2, .two_projectors = !strcmp(r->form, "d") };
    IVL_TRY(ivl_config_load(r->vision, &c->tower));
    IVL_TRY(ivl_weights_open(r->llm, &w));
    ivl_status s = ivl_llm_config_load(r->llm, w, &c->llm);
    ivl_weights_close(w);
    if (s != IVL_OK) return s;
    bool queries = false;
    if (c->two_projectors) IVL_TRY(has_queries(r->vision, &queries));
    IVL_CHECK(!c->two_projectors || (queries && c->tower.text.queries), IVL_EINVAL,
              "%s: form d needs QLLaMA's queries, which this model lacks: give a model of stage 2, or form c",
              r->vision);
    int states = c->tower.vit.layers + 1, layer = (int)r->select_layer;
    IVL_CHECK(layer >= -states && layer < states, IVL_EINVAL,
              "select_layer: %d, and the vision encoder of %s has %d states: -%d to %d", layer, r->vision, states,
              states, states - 1);
    c->select_layer = layer < 0 ? states + layer : layer;
    c->bare_vit = !c->two_projectors;
    if (c->bare_vit) c->tower.text.queries = 0;
    strcpy(c->tower_name, c->bare_vit ? "InternViT" : "InternVL");
    return IVL_OK;
}

/* The template and system message that the recipe names, else the model's own; the model remembers them. */
static ivl_status choose_form(ivl_trainer *t)
{
    ivl_trainer_chat *c = t->chat;
    const ivl_recipe *r = t->r;
    bool own_form = !strcmp(r->template, "own"), own_system = !strcmp(r->system, "own");
    const char *form = own_form ? c->config.form : r->template;
    const char *system = !own_system ? r->system : c->config.has_system ? c->config.system : NULL;
    if (*form) IVL_TRY(ivl_template_parse(form, &c->form));
    else IVL_TRY(ivl_template_detect(t->tok, &c->form, &c->system));
    if (system) {
        free(c->system);
        c->system = strdup(system);
        IVL_CHECK(c->system, IVL_ENOMEM, "out of memory");
    }
    size_t room = sizeof c->config.system;
    IVL_CHECK(!c->system || strlen(c->system) < room, IVL_EINVAL, "system: longer than %zu bytes", room - 1);
    strcpy(c->config.form, ivl_template_name(c->form));
    c->config.has_system = c->system != NULL;
    if (c->system) strcpy(c->config.system, c->system);
    return IVL_OK;
}

static ivl_status configure(ivl_trainer *t)
{
    const ivl_recipe *r = t->r;
    ivl_chat_config *c = &t->chat->config;
    const char *llm = r->init[0] ? r->init : r->llm;
    IVL_TRY(r->init[0] ? ivl_chat_config_load(r->init, c) : assemble(r, c));
    if (r->image_size) c->tower.vit.image_size = (int)r->image_size, c->tower.force_image_size = 0;
    IVL_TRY(ivl_config_check(&c->tower));
    t->config = c->tower;
    IVL_TRY(ivl_tokenizer_open(r->tokenizer[0] ? r->tokenizer : llm, &t->tok));
    IVL_CHECK(ivl_tokenizer_size(t->tok) <= c->llm.vocab, IVL_EINVAL,
              "%s: %d tokens, and the language model of %s has %d: not its tokenizer",
              r->tokenizer[0] ? r->tokenizer : llm, ivl_tokenizer_size(t->tok), llm, c->llm.vocab);
    IVL_CHECK(r->text_len <= c->llm.max_positions, IVL_EINVAL,
              "text_len: %lld, and the language model of %s has %d places", (long long)r->text_len, llm,
              c->llm.max_positions);
    return choose_form(t);
}

/* --- data --------------------------------------------------------------------------------------------------------- */

static ivl_status open_rows(ivl_trainer *t)
{
    const ivl_recipe *r = t->r;
    ivl_trainer_chat *c = t->chat;
    int size = ivl_config_image_size(&t->config);
    IVL_TRY(ivl_conversations_open(r->data, r->images[0] ? r->images : NULL, &c->talks));
    ivl_chat_rows_config cfg = { .talks = c->talks,
                                 .tok = t->tok,
                                 .form = c->form,
                                 .system = c->system,
                                 .seed = (uint64_t)r->seed,
                                 .batch = (int)r->batch,
                                 .micro = (int)(r->micro_batch ? r->micro_batch : r->batch),
                                 .image_size = size,
                                 .picture_tokens = (int)ivl_chat_picture_tokens(&c->config, size),
                                 .text_len = (int)r->text_len,
                                 .by_length = r->by_length };
    IVL_TRY(ivl_chat_rows_open(&cfg, &c->rows));
    c->layout = ivl_chat_rows_layout(c->rows);
    char text[160];
    long long left = (long long)ivl_chat_rows_left_out(c->rows);
    snprintf(text, sizeof text, "%lld of %lld conversations teach nothing within text_len %lld and are left out", left,
             (long long)ivl_conversations_count(c->talks), (long long)r->text_len);
    if (left && t->o->note) t->o->note(t->o->ctx, text);
    return IVL_OK;
}

ivl_status ivl_trainer_chat_open(ivl_trainer *t)
{
    t->chat = calloc(1, sizeof *t->chat);
    IVL_CHECK(t->chat, IVL_ENOMEM, "out of memory");
    IVL_TRY(configure(t));
    return open_rows(t);
}

void ivl_trainer_chat_close(ivl_trainer_chat *c)
{
    if (!c) return;
    ivl_chat_rows_close(c->rows);
    ivl_conversations_close(c->talks);
    free(c->system), free(c);
}

/* --- the model ---------------------------------------------------------------------------------------------------- */

/* What trains: ctx is the recipe's word. */
static bool trains(void *ctx, const char *name)
{
    const char *what = ctx;
    bool projector = !strncmp(name, "mm_projector.", 13), llm = !strncmp(name, "llm.", 4);
    return projector || !strcmp(what, "all") || (!strcmp(what, "text") && llm);
}

static const char *in_tower(const ivl_param *q) { return q->part == IVL_PART_C ? q->name : NULL; }
static const char *in_llm(const ivl_param *q) { return q->part == IVL_PART_LLM ? q->file : NULL; }

/* Of both files, or (not to) only whether they fit. */
static ivl_status load_parts(const ivl_trainer *t, bool to)
{
    const struct { const char *dir; const char *(*name_of)(const ivl_param *q); } part[] = { { t->r->vision, in_tower },
                                                                                            { t->r->llm, in_llm } };
    for (int i = 0; i < 2; i++) {
        ivl_load_options load = { .check_nan = true, .resize_positions = true, .name_of = part[i].name_of };
        IVL_TRY(to ? ivl_checkpoint_load(part[i].dir, t->params, t->stream, &load, NULL)
                   : ivl_checkpoint_match(part[i].dir, t->params, &load));
    }
    return IVL_OK;
}

ivl_status ivl_trainer_chat_model(ivl_trainer *t)
{
    const char *init = t->r->init;
    ivl_params_options o = { .trains = trains, .ctx = t->r->train, .chat = &t->chat->config,
                             .lora = ivl_trainer_lora(t->r) };
    ivl_load_options load = { .check_nan = true, .resize_positions = true };
    IVL_TRY(ivl_params_create(&t->config, &o, &t->params));
    IVL_TRY(init[0] ? ivl_checkpoint_match(init, t->params, &load) : load_parts(t, false));
    IVL_TRY(ivl_params_alloc(t->params, t->dev, t->dtype, true));
    IVL_TRY(ivl_params_init(t->params, t->stream, (uint64_t)t->r->seed)); /* projectors, adapters */
    return init[0] ? ivl_checkpoint_load(init, t->params, t->stream, &load, NULL) : load_parts(t, true);
}

static ivl_status save_tokenizer(const ivl_trainer *t, const char *dir)
{
    const char *from = t->r->tokenizer[0] ? t->r->tokenizer : t->r->init[0] ? t->r->init : t->r->llm;
    IVL_TRY(ivl_tokenizer_save(t->tok, dir));
    return ivl_tokenizer_bpe(t->tok) ? IVL_OK : ivl_copy_if_there("tokenizer_config.json", from, dir);
}

ivl_status ivl_trainer_chat_save(const ivl_trainer *t, const char *dir)
{
    ivl_save_options o = { .dtype = IVL_F32 };
    IVL_TRY(ivl_checkpoint_save_weights(dir, t->params, t->stream, &o));
    IVL_TRY(ivl_chat_config_save(dir, &t->chat->config, IVL_F32));
    return save_tokenizer(t, dir);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

void ivl_trainer_chat_shapes(ivl_trainer *t)
{
    ivl_chat_shape shape[IVL_CHAT_LENGTHS];
    t->n_segments = ivl_chat_rows_shapes(t->chat->rows, shape);
    for (int i = 0; i < t->n_segments; i++)
        t->shape[i] = (ivl_step_shape){ .stage = IVL_STEP_CHAT,
                                        .batch = (int)t->r->batch,
                                        .micro = (int)(t->r->micro_batch ? t->r->micro_batch : t->r->batch),
                                        .image_size = ivl_config_image_size(&t->config),
                                        .text_len = shape[i].text_len,
                                        .answers = shape[i].answers,
                                        .pictures = shape[i].pictures,
                                        .drop_path = t->r->drop_path > 0 };
    t->n_micro = t->shape[0].batch / t->shape[0].micro;
}

static int64_t count_labels(const int32_t *label, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += label[i] >= 0;
    return count;
}

void ivl_trainer_chat_fill(const ivl_trainer *t, const void *slot, int64_t step, ivl_flight *f)
{
    int seg = ivl_trainer_segment(t, step);
    const ivl_step_shape *s = &t->shape[seg];
    const ivl_step_layout *l = ivl_step_layout_of(t->plan[seg]);
    const ivl_chat_layout *from = &t->chat->layout;
    size_t rows = (size_t)s->micro, side = (size_t)s->image_size, word = sizeof(int32_t);
    size_t pictures = rows * (size_t)s->pictures, places = rows * (size_t)s->text_len * word;
    size_t answers = rows * (size_t)s->answers * word;
    size_t k = (size_t)ivl_chat_picture_tokens(&t->chat->config, s->image_size);
    const struct { size_t from, to, bytes; } part[] = {
        { from->pixels, l->pixels, pictures * side * side * 3 }, { from->ids, l->ids, places },
        { from->len, l->len, rows * word },                      { from->index, l->index, places },
        { from->inverse, l->inverse, pictures * k * word },      { from->answer, l->answer, answers },
        { from->predicts, l->predicts, places },                 { from->labels, l->labels, answers },
    };
    const int32_t *labels = (const int32_t *)(const void *)((const char *)slot + from->labels);
    int64_t per = (int64_t)s->micro * s->answers, all = count_labels(labels, per * t->n_micro);
    for (int i = 0; i < t->n_micro; i++) {
        char *to = f->record[i].host;
        for (size_t j = 0; j < sizeof part / sizeof *part; j++)
            memcpy(to + part[j].to, (const char *)slot + part[j].from + (size_t)i * part[j].bytes, part[j].bytes);
        f->share[i] = all ? (float)count_labels(labels + i * per, per) / (float)all : 0;
        if (t->n_micro > 1) memcpy(to + l->share, &f->share[i], sizeof f->share[i]);
    }
}
