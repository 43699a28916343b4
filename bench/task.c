/* Times the stage-1 training step of a preset on a device: features, loss, backward, AdamW, over random pictures and
 * texts. Prints one JSON line, in the words of tests/oracle/bench_torch.py. --profile adds time by op. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "runtime/rng.h"
#include "train/step.h"

typedef struct setup {
    const char      *preset, *device;
    int              batch, text_len, steps, warmup;
    ivl_dtype        dtype;
    ivl_model_config config;
    ivl_params      *params;
    ivl_step_plan   *plan;
    ivl_device      *dev;
    ivl_stream      *stream;
    ivl_buffer       slot, result;
} setup;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ivl_status open_all(setup *s)
{
    ivl_params_options parts = { .parts = IVL_PART_C, .stage = IVL_STAGE_1 };
    IVL_TRY(ivl_device_open(s->device, &s->dev));
    IVL_TRY(ivl_stream_open(s->dev, &s->stream));
    IVL_TRY(ivl_config_load(s->preset, &s->config));
    IVL_TRY(ivl_params_create(&s->config, &parts, &s->params));
    IVL_TRY(ivl_params_alloc(s->params, s->dev, s->dtype, true));
    IVL_TRY(ivl_params_init(s->params, s->stream, 1));
    ivl_step_shape shape = { .batch = s->batch, .micro = s->batch, .image_size = ivl_config_image_size(&s->config),
                             .text_len = s->text_len };
    ivl_step_rule rule = { .adamw = { .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8 } };
    ivl_step_scope scope = { s->params, &s->config, s->dtype, NULL, NULL };
    IVL_TRY(ivl_step_create(s->dev, &scope, &shape, &rule, NULL, &s->plan));
    IVL_TRY(ivl_step_bind(&s->plan, 1));
    IVL_TRY(ivl_alloc(s->dev, IVL_MEM_PINNED, ivl_step_layout_of(s->plan)->bytes, &s->slot));
    return ivl_alloc(s->dev, IVL_MEM_PINNED, IVL_STEP_RESULT * sizeof(float), &s->result);
}

static void fill_slot(setup *s)
{
    const ivl_step_layout *l = ivl_step_layout_of(s->plan);
    char *slot = s->slot.host;
    size_t pixels = (size_t)s->batch * 3 *
                    (size_t)(ivl_config_image_size(&s->config) * ivl_config_image_size(&s->config));
    ivl_rng r = ivl_rng_make(1, "bench");
    for (size_t i = 0; i < pixels; i++) slot[l->pixels + i] = (char)ivl_rng_below(r, 0, 0, i, 256);
    for (int b = 0; b < s->batch; b++) {
        int32_t *ids = (int32_t *)(void *)(slot + l->ids) + b * s->text_len, len = s->text_len, last = len - 1;
        for (int i = 0; i < len; i++)
            ids[i] = 3 + (int32_t)ivl_rng_below(r, 1, (uint32_t)b, (uint64_t)i,
                                                (uint64_t)s->config.text.vocab - 3);
        ids[0] = 1, ids[last] = 2;
        memcpy(slot + l->len + 4 * b, &len, 4), memcpy(slot + l->last + 4 * b, &last, 4);
    }
    float *hyper = (float *)(void *)(slot + l->hyper);
    for (int i = 0; i < s->params->n_ranges; i++)
        hyper[4 * i] = 1e-5f, hyper[4 * i + 1] = 0.05f, hyper[4 * i + 2] = hyper[4 * i + 3] = 1;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ivl_status measure(setup *s)
{
    double t[1000];
    for (int i = -s->warmup; i < s->steps; i++) {
        double begin = now();
        IVL_TRY(ivl_step_run(s->plan, s->stream, &s->slot, s->result, 0));
        IVL_TRY(ivl_sync(s->stream));
        if (i >= 0) t[i] = now() - begin;
    }
    qsort(t, (size_t)s->steps, sizeof *t, ascending);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double median = t[s->steps / 2], flops = ivl_step_sizes(s->plan).flops;
    printf("{\"engine\": \"ivl %s\", \"device\": \"%s\", \"preset\": \"%s\", \"batch\": %d, \"text_len\": "
           "%d, \"dtype\": \"%s\", "
           "\"peak_rss_bytes\": %lld, \"tasks\": {\"stage1\": {\"seconds\": %.6f, \"best_seconds\": %.6f, "
           "\"samples_per_s\": %.3f, "
           "\"flops_per_step\": %.0f, \"flop_per_s\": %.4g}}}\n",
           ivl_version(), ivl_device_name(s->dev), s->preset, s->batch, s->text_len, ivl_dtype_name(s->dtype),
           (long long)u.ru_maxrss * 1024, median, t[0], s->batch / median, flops, flops / median);
    return IVL_OK;
}

/* Every node of the plan, run and waited for alone: where the time goes, by implementation. */
static ivl_status profile(setup *s)
{
    ivl_plan *p = ivl_step_whole(s->plan);
    struct { const char *name; double seconds, flops; int n; } row[256];
    int n = 0;
    for (int i = 0; p && i < ivl_plan_nodes(p); i++) {
        const ivl_op_desc *d = ivl_op_get(ivl_plan_node(p, i)->op);
        double begin = now();
        IVL_TRY(ivl_plan_run_range(p, s->stream, i, i + 1));
        IVL_TRY(ivl_sync(s->stream));
        double took = now() - begin;
        int k = 0;
        while (k < n && strcmp(row[k].name, ivl_plan_impl(p, i))) k++;
        if (k == n && n < 256) row[n++].name = ivl_plan_impl(p, i), row[k].seconds = row[k].flops = 0, row[k].n = 0;
        row[k].seconds += took, row[k].n++;
        row[k].flops += d->flops ? d->flops(ivl_plan_node(p, i)) : 0;
    }
    for (int k = 0; k < n; k++)
        fprintf(stderr, "%-34s %4d x %9.3f ms  %8.1f GFLOP/s\n", row[k].name, row[k].n, 1e3 * row[k].seconds,
                row[k].flops / row[k].seconds / 1e9);
    return IVL_OK;
}

int main(int argc, char **argv)
{
    setup s = { .preset = "small", .device = NULL, .batch = 8, .text_len = 80, .steps = 5, .warmup = 2 };
    bool profiled = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--profile")) profiled = true;
        else if (i + 1 == argc)
            return fprintf(stderr,
                           "usage: step [--preset P] [--device D] [--batch N] [--text-len N] [--steps N] "
                           "[--dtype T] [--profile]\n"),
                   2;
        else if (!strcmp(argv[i], "--preset")) s.preset = argv[++i];
        else if (!strcmp(argv[i], "--device")) s.device = argv[++i];
        else if (!strcmp(argv[i], "--batch")) s.batch = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--text-len")) s.text_len = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--steps")) s.steps = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--dtype") && ivl_dtype_parse(argv[i + 1], &s.dtype) == IVL_OK) i++;
    }
    if (s.steps < 1 || s.steps > 1000) s.steps = 5;
    ivl_status e = open_all(&s);
    if (e == IVL_OK) fill_slot(&s);
    if (e == IVL_OK) e = measure(&s);
    if (e == IVL_OK && profiled) e = profile(&s);
    if (e != IVL_OK) fprintf(stderr, "step: %s\n", ivl_last_error());
    ivl_release(s.slot), ivl_release(s.result);
    ivl_step_destroy(s.plan);
    ivl_params_destroy(s.params);
    ivl_stream_close(s.stream);
    ivl_device_close(s.dev);
    return e != IVL_OK;
}
