/* Setting a run up: data, model, plans, memory; and taking it down. */
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/positions.h"
#include "ops/roof.h"
#include "runtime/dtype.h"
#include "runtime/file.h"

enum { FRESH_SIZE = 112 /* pixels along a side of a fresh model's pictures */ };

static ivl_status open_data(ivl_trainer *t)
{
    IVL_TRY(ivl_tokenizer_open(t->r->tokenizer, &t->tok));
    IVL_TRY(ivl_dataset_open(t->r->data, &t->ds));
    int64_t n = ivl_dataset_count(t->ds);
    IVL_CHECK(n >= t->r->batch, IVL_EINVAL,
              "%s: %lld records are fewer than a batch of %lld: use a smaller batch", t->r->data,
              (long long)n, (long long)t->r->batch);
    if (ivl_dataset_bad(t->ds) && t->o->note) t->o->note(t->o->ctx, ivl_dataset_bad_text(t->ds, 0));
    return IVL_OK;
}

static int full_size(const ivl_trainer *t)
{
    return t->r->image_size ? (int)t->r->image_size : ivl_config_image_size(&t->config);
}

/* Queries, and how long the prefix of generated texts is. */
static ivl_status configure_stage2(ivl_trainer *t)
{
    int32_t *ids = NULL;
    size_t n = 0;
    if (t->r->queries)
        t->config.text.queries = (int)t->r->queries, t->config.text.cross_every = (int)t->r->cross_every;
    IVL_CHECK(t->config.text.queries, IVL_EINVAL, "%s: a model without queries: give their number, as --set queries=16",
              t->r->init);
    IVL_TRY(ivl_tokenizer_encode(t->tok, IVL_GENERATE_PREFIX, &ids, &n));
    free(ids);
    t->prefix_tokens = (int)n;
    IVL_CHECK(t->retrieval || t->r->text_len > (int64_t)n + 1, IVL_EINVAL,
              "text_len: %lld tokens leave no room after \"%s\"", (long long)t->r->text_len, IVL_GENERATE_PREFIX);
    return IVL_OK;
}

/* Sizes of a fresh model: positions on the grid of the full resolution, vocabulary of the tokenizer. */
static ivl_status configure(ivl_trainer *t)
{
    const ivl_recipe *r = t->r;
    IVL_TRY(ivl_config_load(r->init[0] ? r->init : r->model, &t->config));
    int vocab = ivl_tokenizer_size(t->tok);
    if (r->init[0]) {
        IVL_CHECK(vocab <= t->config.text.vocab, IVL_EINVAL,
                  "%s: %d tokens, and the model of %s has %d: not its tokenizer", r->tokenizer, vocab,
                  r->init, t->config.text.vocab);
        if (t->retrieval && !r->lora_rank) /* what is merged into init later keeps its positions */
            t->config.vit.image_size = full_size(t), t->config.force_image_size = 0;
    } else {
        t->config.vit.image_size = (int)(r->image_size ? r->image_size : FRESH_SIZE);
        t->config.force_image_size = 0;
        t->config.text.vocab = vocab;
    }
    if (t->stage2) IVL_TRY(configure_stage2(t));
    IVL_TRY(ivl_config_check(&t->config));
    int patch = t->config.vit.patch, full = full_size(t);
    IVL_CHECK(r->low_size % patch == 0 && full % patch == 0, IVL_EINVAL,
              "%s: %lld is no multiple of the model's patch size %d", r->low_size % patch ? "low_size" : "image_size",
              (long long)(r->low_size % patch ? r->low_size : full), patch);
    return IVL_OK;
}

static ivl_status open_model(ivl_trainer *t)
{
    ivl_params_options o = { .parts = t->stage2 ? IVL_PARTS_ALL : IVL_PART_C, .stage = IVL_STAGE_1 };
    if (t->stage2) o.trains = ivl_trainer_trains, o.ctx = t;
    o.lora = ivl_trainer_lora(t->r);
    o.layerwise = t->r->layer_decay_image != 1 || t->r->layer_decay_text != 1;
    if (t->stage2) IVL_TRY(ivl_trainer_look_at_init(t));
    IVL_TRY(ivl_params_create(&t->config, &o, &t->params));
    ivl_load_options load = { .check_nan = true, .resize_positions = t->retrieval };
    if (t->stage2 && !t->retrieval) load.allow_missing = IVL_PART_G | IVL_PART_LM;
    if (t->r->init[0]) IVL_TRY(ivl_checkpoint_match(t->r->init, t->params, &load));
    IVL_TRY(ivl_params_alloc(t->params, t->dev, t->dtype, true));
    if (!t->r->init[0] || t->stage2 || o.lora.rank) /* something is not in init */
        IVL_TRY(ivl_params_init(t->params, t->stream, (uint64_t)t->r->seed));
    if (!t->r->init[0]) return IVL_OK;
    return ivl_checkpoint_load(t->r->init, t->params, t->stream, &load, NULL);
}

/* --- plans ---------------------------------------------------------------------------------------- */

static void shapes(ivl_trainer *t)
{
    const ivl_recipe *r = t->r;
    ivl_step_shape s = { .stage = t->retrieval ? IVL_STEP_RETRIEVAL : t->stage2 ? IVL_STEP_STAGE2 : IVL_STEP_STAGE1,
                         .batch = (int)r->batch,
                         .micro = (int)(r->micro_batch ? r->micro_batch : r->batch),
                         .image_size = full_size(t),
                         .text_len = (int)r->text_len,
                         .drop_path = r->drop_path > 0 };
    t->n_micro = s.batch / s.micro;
    t->n_segments = 0;
    if (r->low_steps > 0) {
        ivl_step_shape low = s;
        low.image_size = (int)(r->low_size ? r->low_size : s.image_size);
        int grid = low.image_size / t->config.vit.patch, n = grid * grid;
        if (r->mask_ratio > 0) low.patches = n - (int)((double)n * r->mask_ratio);
        t->shape[t->n_segments++] = low;
    }
    if (r->low_steps < r->steps) t->shape[t->n_segments++] = s;
}

static ivl_status make_plans(ivl_trainer *t)
{
    const ivl_recipe *r = t->r;
    ivl_step_rule rule = { .adamw = { r->beta1, r->beta2, r->eps, r->clip, r->max_logit_scale },
                           .recompute = r->recompute ? IVL_RECOMPUTE_BLOCKS : IVL_RECOMPUTE_NONE };
    if (t->chat) ivl_trainer_chat_shapes(t);
    else shapes(t);
    for (int i = 0; i < t->n_segments; i++) {
        int from = ivl_config_grid(&t->config), to = t->shape[i].image_size / t->config.vit.patch;
        if (from != to) IVL_TRY(ivl_pos_tensor(t->stream, t->dtype, from, to, &t->resize[i]));
        ivl_step_scope scope = { t->params, &t->config, t->dtype, from != to ? &t->resize[i] : NULL,
                                 t->chat ? &t->chat->config : NULL };
        IVL_TRY(ivl_step_create(t->dev, &scope, &t->shape[i], &rule, NULL, &t->plan[i]));
        t->flops[i] = ivl_step_sizes(t->plan[i]).flops;
    }
    return ivl_step_bind(t->plan, t->n_segments);
}

static ivl_status make_flights(ivl_trainer *t)
{
    size_t bytes = 0;
    for (int i = 0; i < t->n_segments; i++)
        if (ivl_step_layout_of(t->plan[i])->bytes > bytes) bytes = ivl_step_layout_of(t->plan[i])->bytes;
    t->n_results = t->chat ? t->n_micro : 1;
    IVL_TRY(ivl_alloc(t->dev, IVL_MEM_PINNED, (size_t)t->n_results * IVL_RING * IVL_STEP_RESULT * sizeof(float),
                      &t->result));
    for (int k = 0; k < IVL_RING; k++) {
        ivl_flight *f = &t->flight[k];
        f->step = -1;
        f->record = calloc((size_t)t->n_micro, sizeof *f->record);
        f->share = calloc((size_t)t->n_micro, sizeof *f->share);
        IVL_CHECK(f->record && f->share, IVL_ENOMEM, "out of memory");
        for (int i = 0; i < t->n_micro; i++) IVL_TRY(ivl_alloc(t->dev, IVL_MEM_PINNED, bytes, &f->record[i]));
    }
    return IVL_OK;
}

/* --- resume --------------------------------------------------------------------------------------- */

/* Keys that may change between a run and its continuation: they change no result. */
static bool may_differ(const char *line)
{
    static const char *const keys[] = { "workers:", "checkpoint_every:", "checkpoint_keep:" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strncmp(line, keys[i], strlen(keys[i]))) return true;
    return false;
}

static ivl_status same_recipe(const char *was, const char *is, const char *where)
{
    while (*was && *is) {
        int n = (int)strcspn(was, "\n"), m = (int)strcspn(is, "\n");
        IVL_CHECK((n == m && !strncmp(was, is, (size_t)n)) || (may_differ(was) && may_differ(is)), IVL_EINVAL,
                  "%s: this run has '%.*s', and you give '%.*s': resume with the same recipe, or start in "
                  "another folder",
                  where, n, was, m, is);
        was += n + (was[n] == '\n'), is += m + (is[m] == '\n');
    }
    return IVL_OK;
}

/* A damaged one is not passed over in silence: the run would lose steps. */
static ivl_status load_checkpoint(ivl_trainer *t, const char *path, ivl_state *st)
{
    char why[600];
    ivl_status s = ivl_state_load(path, t->params, t->stream, st);
    if (s != IVL_EFORMAT && s != IVL_EIO) return s;
    snprintf(why, sizeof why, "%s", ivl_last_error());
    return ivl_fail(s, __FILE__, __LINE__, "%s; to go on from the checkpoint before it remove %s", why, path);
}

static ivl_status resume(ivl_trainer *t)
{
    char *path = NULL;
    ivl_state st = { 0 };
    IVL_TRY(ivl_state_latest(t->checkpoints, &path));
    if (!path) return IVL_OK;
    ivl_status s = IVL_OK;
    if (!t->o->resume)
        s = ivl_fail(IVL_EINVAL, __FILE__, __LINE__,
                     "%s holds a run already: go on with --resume, or give another folder", t->o->out);
    if (s == IVL_OK) s = load_checkpoint(t, path, &st);
    if (s == IVL_OK) s = same_recipe(st.recipe, t->recipe_text, path);
    if (s == IVL_OK) t->first_step = st.step;
    if (s == IVL_OK && t->o->note && strcmp(st.device, ivl_device_name(t->dev)))
        t->o->note(t->o->ctx, "the run began on another device: its end will agree in rounding only");
    ivl_state_free(&st);
    free(path);
    return s;
}

/* --- the loader ----------------------------------------------------------------------------------- */

/* Records of pictures and texts. */
static ivl_status load_records(ivl_trainer *t, ivl_loader_config *c)
{
    const ivl_recipe *r = t->r;
    c->tok = t->tok, c->text_len = (int)r->text_len, c->stage2 = t->stage2, c->retrieval = t->retrieval;
    c->bad = IVL_BAD_SKIP, c->cache_bytes = (size_t)1 << 30;
    c->langs = r->languages[0] ? r->languages : NULL;
    if (r->repeat[0]) IVL_TRY(ivl_dataset_repeat(t->ds, r->repeat, &t->records, &c->n_subset));
    c->subset = t->records;
    c->neighbours = t->neighbours, c->n_neighbours = (int)r->neighbours;
    c->transform = (ivl_transform){ .fit = IVL_FIT_RANDOM, .scale_lo = r->crop_min, .scale_hi = r->crop_max,
                                    .flip = r->flip ? 0.5 : 0 };
    c->n_segments = t->n_segments;
    for (int i = 0; i < t->n_segments; i++)
        c->segment[i] = (ivl_segment){ i ? r->low_steps : 0, t->shape[i].image_size, (int)r->batch };
    return ivl_slot_layout_make(c, &t->layout);
}

static void load_conversations(ivl_trainer *t, ivl_loader_config *c)
{
    c->fill = ivl_chat_row_fill, c->fill_ctx = t->chat->rows;
    c->n_segments = 1, c->segment[0] = (ivl_segment){ 0, t->shape[0].image_size, (int)t->r->batch };
    t->layout.bytes = t->chat->layout.bytes;
}

static ivl_status open_loader(ivl_trainer *t)
{
    ivl_loader_config *c = &t->load;
    *c = (ivl_loader_config){ .seed = (uint64_t)t->r->seed, .workers = (int)t->r->workers, .end_step = t->r->steps };
    c->first_step = t->o->overfit ? 0 : t->first_step;
    if (t->chat) load_conversations(t, c);
    else IVL_TRY(load_records(t, c));
    for (int i = 0; i < IVL_LOADER_SLOTS; i++) {
        t->slot[i] = aligned_alloc(256, (t->layout.bytes + 255) / 256 * 256);
        IVL_CHECK(t->slot[i], IVL_ENOMEM, "out of memory for batches");
    }
    return ivl_loader_open(t->ds, c, &t->layout, t->slot, IVL_LOADER_SLOTS, &t->loader);
}

static ivl_status save_recipe(ivl_trainer *t)
{
    ivl_out_file out = { 0 };
    char *path = ivl_path_join(t->o->out, "recipe.yaml");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_out_open(path, &out);
    if (s == IVL_OK) {
        fputs(t->recipe_text, out.f);
        s = ivl_out_commit(&out);
    }
    free(path);
    return s;
}

ivl_status ivl_trainer_open(ivl_trainer *t)
{
    IVL_TRY(ivl_recipe_check(t->r));
    t->retrieval = !strcmp(t->r->stage, "retrieval");
    t->stage2 = t->retrieval || !strcmp(t->r->stage, "2");
    IVL_CHECK(!strcmp(t->r->stage, "1") || !t->o->record, IVL_EUNSUPPORTED, "--record writes runs of stage 1 only");
    IVL_TRY(ivl_conf_text(ivl_recipe_rows, ivl_recipe_n_rows, t->r, &t->recipe_text));
    t->checkpoints = ivl_path_join(t->o->out, "checkpoints");
    IVL_CHECK(t->checkpoints, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_stream_open(t->dev, &t->stream));
    IVL_TRY(ivl_dtype_parse(t->r->compute, &t->dtype));
    if (!strcmp(t->r->stage, "3")) {
        IVL_TRY(ivl_trainer_chat_open(t));
        IVL_TRY(ivl_trainer_chat_model(t));
    } else {
        IVL_TRY(open_data(t));
        IVL_TRY(configure(t));
        IVL_TRY(open_model(t));
    }
    IVL_TRY(make_plans(t));
    IVL_TRY(make_flights(t));
    IVL_TRY(ivl_make_dirs(t->checkpoints));
    IVL_TRY(resume(t));
    IVL_TRY(save_recipe(t));
    IVL_TRY(ivl_roof_gflops(t->dev, &t->roof)); /* while no loader thread is busy */
    IVL_TRY(ivl_trainer_open_negatives(t));
    IVL_TRY(open_loader(t));
    return ivl_metrics_open(t->o->out, t->first_step, &t->metrics);
}

void ivl_trainer_close(ivl_trainer *t)
{
    ivl_loader_close(t->loader);
    for (int i = 0; i < IVL_LOADER_SLOTS; i++) free(t->slot[i]);
    for (int k = 0; k < IVL_RING; k++) {
        ivl_event_release(t->dev, t->flight[k].event);
        for (int i = 0; t->flight[k].record && i < t->n_micro; i++) ivl_release(t->flight[k].record[i]);
        free(t->flight[k].record), free(t->flight[k].share);
    }
    ivl_release(t->result);
    for (int i = 0; i < IVL_TRAIN_SEGMENTS; i++) {
        ivl_step_destroy(t->plan[i]);
        ivl_release(t->resize[i].buf);
    }
    ivl_params_destroy(t->params);
    ivl_trainer_chat_close(t->chat);
    ivl_dataset_close(t->ds);
    ivl_tokenizer_close(t->tok);
    ivl_stream_close(t->stream);
    free(t->checkpoints), free(t->recipe_text), free(t->neighbours), free(t->records);
}
