#include "train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/checkpoint.h"
#include "runtime/clock.h"
#include "runtime/file.h"
#include "runtime/json_save.h"
#include "train/trainer.h"

enum { MAX_SKIPPED_IN_A_ROW = 20 };

static void note(const ivl_trainer *t, const char *text)
{
    if (t->o->note) t->o->note(t->o->ctx, text);
}

/* --- results, read late --------------------------------------------------------------------------- */

static ivl_status write_metrics(ivl_trainer *t, const ivl_train_progress *p, int64_t step)
{
    ivl_metric m[20];
    int n = 0;
    m[n++] = (ivl_metric){ "loss", p->loss };
    m[n++] = (ivl_metric){ "grad_norm", p->grad_norm };
    m[n++] = (ivl_metric){ "lr_text", ivl_trainer_rate(t, IVL_GROUP_TEXT, step) };
    if (p->stage == 3) {
        m[n++] = (ivl_metric){ "lr_other", ivl_trainer_rate(t, IVL_GROUP_OTHER, step) };
        m[n++] = (ivl_metric){ "token_accuracy", p->hits };
    } else {
        m[n++] = (ivl_metric){ "lr_image", p->lr_image };
        m[n++] = (ivl_metric){ "logit_scale", p->logit_scale };
    }
    if (p->stage == 2) {
        m[n++] = (ivl_metric){ "itm", p->itm };
        m[n++] = (ivl_metric){ "itc", p->itc };
        m[n++] = (ivl_metric){ "itm_accuracy", p->itm_hits };
    }
    if (p->stage == 2 && !p->retrieval) {
        m[n++] = (ivl_metric){ "itg", p->itg };
        m[n++] = (ivl_metric){ "itg_accuracy", p->itg_hits };
    }
    m[n++] = (ivl_metric){ "samples_per_s", p->samples_per_s };
    m[n++] = (ivl_metric){ "gflops", p->gflops };
    m[n++] = (ivl_metric){ "utilisation", p->utilisation };
    m[n++] = (ivl_metric){ "skipped", p->skipped };
    return ivl_metrics_write(t->metrics, step, m, n);
}

static ivl_status bad_step(ivl_trainer *t, int64_t step)
{
    char text[256];
    t->skipped++;
    snprintf(text, sizeof text, "step %lld: the gradient is not finite, nothing was updated", (long long)step);
    note(t, text);
    IVL_CHECK(++t->skipped_in_a_row < MAX_SKIPPED_IN_A_ROW, IVL_EINVAL,
              "%d steps in a row are not finite: lower lr_image and lr_text, or find the cause with --trace-nan",
              MAX_SKIPPED_IN_A_ROW);
    return IVL_OK;
}

static const float *results_of(const ivl_trainer *t, const ivl_flight *f)
{
    return (const float *)t->result.host + (f - t->flight) * t->n_results * IVL_STEP_RESULT;
}

/* Of the micro-batches' results, by their shares. */
static double mean_of(const ivl_trainer *t, const ivl_flight *f, int i)
{
    const float *v = results_of(t, f);
    double sum = 0;
    if (t->n_results == 1) return v[i];
    for (int k = 0; k < t->n_results; k++) sum += (double)f->share[k] * (double)v[k * IVL_STEP_RESULT + i];
    return sum;
}

/* Waits for the step of a flight that is IVL_RING steps old, reports its result and frees the flight. */
static ivl_status land(ivl_trainer *t, ivl_flight *f)
{
    if (f->step < 0) return IVL_OK;
    IVL_TRY(ivl_event_sync(t->dev, f->event));
    ivl_event_release(t->dev, f->event);
    f->event = NULL;
    const float *v = results_of(t, f), *end = v + (t->n_results - 1) * IVL_STEP_RESULT; /* the last has the norm */
    double now = ivl_seconds(), took = now - t->last_time;
    t->last_time = now;
    ivl_train_progress p = { .step = f->step + 1,
                             .steps = t->r->steps,
                             .loss = mean_of(t, f, IVL_STEP_LOSS),
                             .grad_norm = sqrt((double)end[IVL_STEP_NORM]),
                             .logit_scale = v[IVL_STEP_SCALE],
                             .lr_image = f->lr_image,
                             .skipped = !isfinite(end[IVL_STEP_NORM]),
                             .stage = t->chat ? 3 : t->stage2 ? 2 : 1,
                             .hits = mean_of(t, f, IVL_STEP_HITS),
                             .retrieval = t->retrieval,
                             .itm = v[IVL_STEP_ITM],
                             .itc = v[IVL_STEP_ITC],
                             .itg = t->retrieval ? 0 : v[IVL_STEP_ITG],
                             .itm_hits = v[IVL_STEP_ITM_HITS],
                             .itg_hits = t->retrieval ? 0 : v[IVL_STEP_ITG_HITS] };
    double flops = t->flops[ivl_trainer_segment(t, f->step)];
    bool begun = t->step_time > 0; /* results come in bursts, and steps differ in length */
    t->step_time = begun ? 0.9 * t->step_time + 0.1 * took : took;
    t->step_flops = begun ? 0.9 * t->step_flops + 0.1 * flops : flops;
    p.samples_per_s = (double)t->r->batch / t->step_time;
    p.gflops = t->step_flops / t->step_time / 1e9;
    p.utilisation = t->roof > 0 ? p.gflops / t->roof : 0;
    IVL_TRY(write_metrics(t, &p, f->step));
    if (t->o->progress) t->o->progress(t->o->ctx, &p);
    int64_t step = f->step;
    f->step = -1;
    if (p.skipped) return bad_step(t, step);
    t->skipped_in_a_row = 0;
    return IVL_OK;
}

static ivl_status land_all(ivl_trainer *t, int64_t next)
{
    for (int k = 0; k < IVL_RING; k++) IVL_TRY(land(t, &t->flight[(next + k) % IVL_RING]));
    return IVL_OK;
}

/* --- a step --------------------------------------------------------------------------------------- */

static ivl_status trace(ivl_trainer *t, int64_t step, const ivl_flight *f)
{
    const float *v = results_of(t, f), *end = v + (t->n_results - 1) * IVL_STEP_RESULT;
    char text[768] = "";
    bool found = false;
    IVL_TRY(ivl_sync(t->stream));
    if (isfinite(mean_of(t, f, IVL_STEP_LOSS)) && isfinite(end[IVL_STEP_NORM])) return IVL_OK;
    for (int i = 0; i < t->n_micro && !found; i++)
        IVL_TRY(ivl_step_trace(t->plan[ivl_trainer_segment(t, step)], t->stream, f->record[i], &found, text,
                               sizeof text));
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "step %lld is not finite; first bad tensor: %s", (long long)step,
                    found ? text : "only in the optimiser");
}

static ivl_status run_step(ivl_trainer *t, int64_t step, const void *slot)
{
    ivl_flight *f = &t->flight[step % IVL_RING];
    IVL_TRY(land(t, f));
    ivl_trainer_fill(t, slot, step, f);
    f->lr_image = ivl_trainer_rate(t, IVL_GROUP_IMAGE, step);
    if (t->o->record) IVL_TRY(ivl_trainer_record_step(t, step, f));
    size_t at = (size_t)((f - t->flight) * t->n_results) * IVL_STEP_RESULT * sizeof(float);
    IVL_TRY(ivl_step_run(t->plan[ivl_trainer_segment(t, step)], t->stream, f->record, t->result, at));
    IVL_TRY(ivl_event_record(t->stream, &f->event));
    f->step = step;
    return t->o->trace_nan ? trace(t, step, f) : IVL_OK;
}

static ivl_status save(ivl_trainer *t, int64_t step)
{
    ivl_state st = { step, (char *)(uintptr_t)ivl_device_name(t->dev), t->recipe_text };
    IVL_TRY(land_all(t, step));
    IVL_TRY(ivl_sync(t->stream));
    ivl_status s = ivl_state_save(t->checkpoints, t->params, t->stream, &st, (int)t->r->checkpoint_keep);
    t->last_time = ivl_seconds();
    return s;
}

static ivl_status steps(ivl_trainer *t, int64_t *step_p)
{
    int slot = -1;
    for (int64_t step = t->first_step; step < t->r->steps; step++) {
        *step_p = step;
        if (t->o->stop && *t->o->stop) return save(t, step);
        if (slot < 0) IVL_TRY(ivl_loader_next(t->loader, &slot));
        ivl_slot_info info = ivl_loader_info(t->loader, slot);
        if (info.skipped && (!t->o->overfit || step == t->first_step)) note(t, info.trouble);
        IVL_TRY(run_step(t, step, t->slot[slot]));
        if (!t->o->overfit) {
            ivl_loader_release(t->loader, slot);
            slot = -1;
        }
        if ((step + 1) % t->r->checkpoint_every == 0 && step + 1 < t->r->steps) IVL_TRY(save(t, step + 1));
    }
    *step_p = t->r->steps;
    return save(t, t->r->steps);
}

/* --- the end -------------------------------------------------------------------------------------- */

static ivl_status save_model(ivl_trainer *t)
{
    char *dir = ivl_path_join(t->o->out, "model");
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_save_options o = { .dtype = IVL_F32, .tokenizer = t->r->tokenizer };
    ivl_status s = t->chat ? ivl_trainer_chat_save(t, dir)
                           : ivl_checkpoint_save(dir, &t->config, t->params, t->stream, &o);
    free(dir);
    return s;
}

static ivl_status save_facts(const ivl_trainer *t)
{
    char *path = ivl_path_join(t->o->out, "run.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    double seconds = ivl_seconds() - t->started;
    int64_t n = t->r->steps - t->first_step;
    json_t *j = json_pack(
        "{s:s, s:f, s:s, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:I}", "device", ivl_device_name(t->dev),
        "roof (GFLOP/s, measured)", t->roof, "model",
        t->r->init[0] ? t->r->init : t->chat ? t->r->llm : t->r->model, "parameters (million)",
        (double)t->params->weights / 1e6, t->chat ? "conversations" : "pictures",
        (json_int_t)(t->chat ? ivl_chat_rows_count(t->chat->rows) : ivl_dataset_count(t->ds)), "steps",
        (json_int_t)t->r->steps, "batch", (json_int_t)t->r->batch, "steps of this session", (json_int_t)n,
        "minutes of this session", seconds / 60, "samples per second",
        n > 0 ? (double)(n * t->r->batch) / seconds : 0, "skipped steps", (json_int_t)t->skipped);
    ivl_status s = ivl_json_save(j, path);
    free(path);
    return s;
}

ivl_status ivl_train(const ivl_recipe *r, ivl_device *dev, const ivl_train_options *o, bool *done_p)
{
    ivl_trainer t = { .r = r, .o = o, .dev = dev };
    int64_t step = 0;
    IVL_TRY(ivl_make_dirs(o->out));
    ivl_status s = ivl_trainer_open(&t);
    if (s == IVL_OK && o->record) s = ivl_trainer_record_start(&t);
    t.started = t.last_time = ivl_seconds();
    if (s == IVL_OK) s = steps(&t, &step);
    bool done = step == r->steps;
    if (s == IVL_OK && done) s = ivl_trainer_save_adapter(&t);
    if (s == IVL_OK && done) s = save_model(&t);
    if (s == IVL_OK && done) s = save_facts(&t);
    ivl_status closed = ivl_metrics_close(t.metrics);
    if (s != IVL_OK && t.stream) ivl_sync(t.stream);
    ivl_trainer_close(&t);
    if (s == IVL_OK) s = closed;
    if (s == IVL_OK) *done_p = done;
    return s;
}
