/* Times whole tasks (train/task.h) on a device and prints one JSON line, in the words of tests/oracle/bench_torch.py:
 * bench/vs_torch.sh runs the two in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/clock.h"
#include "train/task.h"

enum { MOST_STEPS = 1000 };

typedef struct options {
    const char      *tasks, *device;
    int              steps, warmup;
    ivl_task_options what;
} options;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ivl_status time_runs(const options *o, ivl_task *t, const char *name)
{
    double took[MOST_STEPS];
    for (int i = -o->warmup; i < o->steps; i++) {
        double begin = ivl_seconds();
        IVL_TRY(ivl_task_run(t));
        if (i >= 0) took[i] = ivl_seconds() - begin;
    }
    qsort(took, (size_t)o->steps, sizeof *took, ascending);
    double median = took[o->steps / 2], flops = ivl_task_flops(t);
    printf("\"%s\": {\"seconds\": %.6f, \"best_seconds\": %.6f, \"samples_per_s\": %.3f, \"flops_per_step\": %.0f, "
           "\"flop_per_s\": %.4g}",
           name, median, took[0], o->what.batch / median, flops, flops / median);
    return IVL_OK;
}

static ivl_status time_tasks(const options *o, ivl_device *dev)
{
    char *names = strdup(o->tasks), *rest = names;
    ivl_status s = names ? IVL_OK : IVL_ENOMEM;
    const char *separator = "";
    printf("{\"engine\": \"ivl %s\", \"device\": \"%s\", \"preset\": \"%s\", \"batch\": %d, \"text_len\": %d, "
           "\"dtype\": \"%s\", \"tasks\": {",
           ivl_version(), ivl_device_name(dev), o->what.model, o->what.batch, o->what.text_len,
           ivl_dtype_name(o->what.dtype));
    for (const char *name; s == IVL_OK && (name = strsep(&rest, ","));) {
        ivl_task *t = NULL;
        s = ivl_task_open(dev, name, &o->what, &t);
        printf("%s", separator), separator = ", ";
        if (s == IVL_OK) s = time_runs(o, t, name);
        ivl_task_close(t);
    }
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("}, \"peak_rss_bytes\": %lld}\n", (long long)u.ru_maxrss * 1024);
    free(names);
    return s;
}

/* False on anything it does not know. */
static bool parse(options *o, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--preset")) o->what.model = value;
        else if (!strcmp(key, "--task")) o->tasks = value;
        else if (!strcmp(key, "--device")) o->device = value;
        else if (!strcmp(key, "--batch")) o->what.batch = atoi(value);
        else if (!strcmp(key, "--text-len")) o->what.text_len = atoi(value);
        else if (!strcmp(key, "--new-tokens")) o->what.new_tokens = atoi(value);
        else if (!strcmp(key, "--layers")) o->what.layers = atoi(value);
        else if (!strcmp(key, "--image-size")) o->what.image_size = atoi(value);
        else if (!strcmp(key, "--steps")) o->steps = atoi(value);
        else if (!strcmp(key, "--warmup")) o->warmup = atoi(value);
        else if (strcmp(key, "--dtype") || ivl_dtype_parse(value, &o->what.dtype) != IVL_OK) return false;
    }
    return argc % 2 == 1 && o->steps > 0 && o->steps <= MOST_STEPS;
}

int main(int argc, char **argv)
{
    options o = { .tasks = "stage1", .steps = 5, .warmup = 2,
                  .what = { .model = "small", .batch = 8, .text_len = 80, .new_tokens = 30 } };
    ivl_device *dev = NULL;
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: task [--task NAME,...] [--preset P] [--device D] [--batch N] [--text-len N]\n"
                        "            [--new-tokens N] [--layers N] [--image-size N] [--steps N] [--warmup N]\n"
                        "            [--dtype T]\n");
        return 2;
    }
    ivl_status s = ivl_device_open(o.device, &dev);
    if (s == IVL_OK) s = time_tasks(&o, dev);
    if (s != IVL_OK) fprintf(stderr, "task: %s\n", ivl_last_error());
    ivl_device_close(dev);
    return s != IVL_OK;
}
