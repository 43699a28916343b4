/* ivl bench: what this machine can do at most, and how near every op comes to it. */
#include <stdlib.h>
#include <string.h>

#include "backends/list.h"
#include "cli/model_args.h"
#include "train/bench.h"

typedef struct options {
    const char *devices, *task, *json, *svg, *check;
    ivl_task_options  what;
    ivl_bench_options how;
    double            slack;
    int               rows;
} options;

enum { O_ALL = 256, O_BLAS, O_CHECK, O_SLACK, O_LAYERS };

static const struct argp_option rows[] = {
    { "device", 'd', "DEVICE,...", 0, "Devices to time, side by side; `all`: every one (default: the best)", 0 },
    { "task", 't', "NAME", 0, "Whose ops: image_c, image_g, text, stage1 (default), stage2, caption (one token)", 0 },
    { "batch", 'b', "N", 0, "Pictures or texts (8)", 0 },
    { "text-len", 'l', "TOKENS", 0, "Length of the texts (80)", 0 },
    { "image-size", 'i', "PIXELS", 0, "Side of the pictures (the model's)", 0 },
    { "layers", O_LAYERS, "N", 0, "Keep N layers of each tower: all are alike, and 6B does not fit everywhere", 0 },
    { "compute", 'c', "TYPE", 0, "Storage of weights and activations: fp32 (default), bf16, fp16", 0 },
    { "op", 'p', "NAME", 0, "This op only", 0 },
    { "all", O_ALL, NULL, 0, "Every implementation that fits, not only the one that plans choose", 0 },
    { "blas", O_BLAS, "FILE.so", 0, "Also time f32 products in this library (cblas_sgemm), such as OpenBLAS", 0 },
    { "seconds", 's', "X", 0, "For each implementation of each node (0.1)", 0 },
    { "rows", 'n', "N", 0, "Print the N lines that take most time (40); 0: all", 0 },
    { "out", 'o', "F.jsonl", 0, "Write all lines there as JSON", 0 },
    { "svg", 'g', "F.svg", 0, "Draw the roofline of the first device there", 0 },
    { "check", O_CHECK, "F.jsonl", 0, "Compare with an earlier --out: each line's share of the roof", 0 },
    { "slack", O_SLACK, "X", 0, "A line passes --check down to 1/X of the earlier share (1.5)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'd': o->devices = arg; break;
    case 't': o->task = arg; break;
    case 'b': o->what.batch = cli_positive(state, arg, "--batch"); break;
    case 'l': o->what.text_len = cli_positive(state, arg, "--text-len"); break;
    case 'i': o->what.image_size = cli_positive(state, arg, "--image-size"); break;
    case O_LAYERS: o->what.layers = cli_positive(state, arg, "--layers"); break;
    case 'c': o->what.dtype = cli_storage(state, arg, "--compute"); break;
    case 'p': o->how.op = arg; break;
    case O_ALL: o->how.all = true; break;
    case O_BLAS: o->how.blas = arg; break;
    case 's': o->how.budget = cli_number(state, arg, "--seconds", 0.001, 1000); break;
    case 'n': o->rows = (int)cli_number(state, arg, "--rows", 0, 1e6); break;
    case 'o': o->json = arg; break;
    case 'g': o->svg = arg; break;
    case O_CHECK: o->check = arg; break;
    case O_SLACK: o->slack = cli_number(state, arg, "--slack", 1, 1000); break;
    case ARGP_KEY_ARG:
        if (state->arg_num) cli_usage(state, "one model at a time");
        o->what.model = arg;
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    rows, parse, "[MODEL]",
    "Measures what devices can do at most (multiply-adds, memory), then every different op of a task of MODEL (a size "
    "such as small, the default, or internvl_14b; a folder; a config.json), forward and backward, with random "
    "weights.\vA line is one op of one shape: how often a run of the task has it, its time, its speed, and its share "
    "of the roof: the time that the device's measured speed would allow, over the time it took. Small ops find their "
    "data in a cache, as repeated runs do; bytes are the least that must move.",
    NULL, NULL, NULL,
};

/* --- devices ------------------------------------------------------------------------------------------------------ */

enum { MOST_DEVICES = 16 };
typedef struct machine { int n; ivl_device *dev[MOST_DEVICES]; ivl_bench_roofs roof[MOST_DEVICES]; } machine;

static void open_all(machine *m)
{
    for (int i = 0; i < ivl_backend_count(); i++) {
        const ivl_backend *b = ivl_backend_get(i);
        int n = 0;
        if (!strcmp(b->name, "check") || b->count(&n) != IVL_OK) n = 0;
        for (int j = 0; j < n && m->n < MOST_DEVICES; j++)
            if (b->open(j, &m->dev[m->n]) == IVL_OK) m->n++;
    }
}

static ivl_status open_devices(const char *list, machine *m)
{
    if (!list) return m->n++, ivl_device_open(NULL, &m->dev[0]);
    if (!strcmp(list, "all")) return open_all(m), IVL_OK;
    char *copy = strdup(list), *rest = copy;
    ivl_status s = copy ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (char *spec; s == IVL_OK && (spec = strsep(&rest, ",")) && m->n < MOST_DEVICES;) {
        s = ivl_device_open(spec, &m->dev[m->n]);
        if (s == IVL_OK) m->n++;
    }
    free(copy);
    return s;
}

static void close_devices(machine *m)
{
    for (int i = 0; i < m->n; i++) ivl_device_close(m->dev[i]);
}

static ivl_status roofs(ivl_device *dev, ivl_bench_roofs *r)
{
    char level[IVL_BENCH_LEVELS][16];
    printf("%s: %s\n", dev->spec, ivl_device_caps(dev)->name);
    IVL_TRY(ivl_bench_measure_roofs(dev, r));
    if (r->flops <= 0) {
        printf("  no kernels, so no roofs\n");
        return IVL_OK;
    }
    printf("  multiply-add %.0f GFLOP/s; copies %.1f GB/s; reads", r->flops / 1e9, r->copy / 1e9);
    for (int i = 0; i < IVL_BENCH_LEVELS; i++)
        printf("%s %.0f GB/s of %s", i ? "," : "", r->read[i] / 1e9, cli_bytes((double)r->level[i], level[i]));
    printf("\n");
    return IVL_OK;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static void print_row(const ivl_bench_row *r, double sum)
{
    double t = r->time.median;
    printf("%5.1f %% %5d x %9.3f ms %8.1f %7.1f", sum > 0 ? 100 * t * r->times / sum : 0, r->times, 1e3 * t,
           r->flops / t / 1e9, r->bytes / t / 1e9);
    if (r->roof > 0) printf(" %4.0f %%", 100 * r->roof / t);
    else printf("      -");
    printf("  %-11s %-34s %s\n", r->device, r->impl, r->shapes);
}

static void print_rows(const options *o, const ivl_bench *b, const machine *m)
{
    double sum[MOST_DEVICES] = { 0 }, ideal[MOST_DEVICES] = { 0 };
    printf("\n  time                       GFLOP/s    GB/s   roof  %-11s %-34s shapes\n", "device", "implementation");
    for (int d = 0; d < m->n; d++)
        for (int i = 0; i < b->n; i++) {
            const ivl_bench_row *r = &b->row[i];
            if (!r->chosen || strcmp(r->device, m->dev[d]->spec)) continue;
            sum[d] += r->time.median * r->times, ideal[d] += r->roof * r->times;
        }
    for (int i = 0; i < b->n && (!o->rows || i < o->rows); i++)
        for (int d = 0; d < m->n; d++)
            if (!strcmp(b->row[i].device, m->dev[d]->spec)) print_row(&b->row[i], sum[d]);
    if (o->rows && b->n > o->rows) printf("  ... %d more: --rows 0\n", b->n - o->rows);
    for (int d = 0; d < m->n; d++)
        printf("\n%s: %.1f ms of ops in one run of %s; %.1f ms at the roof (%.0f %%)\n", m->dev[d]->spec, 1e3 * sum[d],
               o->task, 1e3 * ideal[d], sum[d] > 0 ? 100 * ideal[d] / sum[d] : 0);
}

static bool same_line(const ivl_bench_row *a, const ivl_bench_row *b)
{
    return !strcmp(a->impl, b->impl) && !strcmp(a->shapes, b->shapes);
}

/* The line of `old` that row i is to be compared with: attributes may make several of the same text, which keep their
 * order. */
static const ivl_bench_row *earlier(const ivl_bench *now, int i, const ivl_bench *old)
{
    int before = 0;
    for (int j = 0; j < i; j++) before += same_line(&now->row[j], &now->row[i]);
    for (int j = 0; j < old->n; j++)
        if (same_line(&old->row[j], &now->row[i]) && before-- == 0) return &old->row[j];
    return NULL;
}

/* Lines that reach less of the roof than they did. */
static ivl_status check(const options *o, const ivl_bench *now, int *slower_p)
{
    ivl_bench old = { 0 };
    int compared = 0;
    IVL_TRY(ivl_bench_load(o->check, &old));
    *slower_p = 0;
    for (int i = 0; i < now->n; i++) {
        const ivl_bench_row *a = &now->row[i], *b = earlier(now, i, &old);
        if (!b || a->roof <= 0 || b->roof <= 0) continue;
        double was = b->roof / b->time.median, is = a->roof / a->time.median;
        compared++;
        if (is * o->slack >= was) continue;
        printf("slower: %s %s: %.0f %% of the roof, was %.0f %%\n", a->impl, a->shapes, 100 * is, 100 * was);
        ++*slower_p;
    }
    ivl_bench_free(&old);
    IVL_CHECK(compared, IVL_EINVAL, "%s: has no line of these ops and shapes to compare with", o->check);
    printf("%d lines compared with %s, %d slower\n", compared, o->check, *slower_p);
    return IVL_OK;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void progress(void *ctx, int done, int of, const char *what)
{
    cli_progress *p = ctx;
    p->total = of;
    cli_progress_step(p, done, what);
}

static ivl_status bench_device(options *o, ivl_device *dev, const ivl_bench_roofs *r, ivl_bench *b)
{
    ivl_task *t = NULL;
    cli_progress p;
    IVL_TRY(ivl_task_open(dev, o->task, &o->what, &t));
    cli_progress_begin(&p, dev->spec, 1, 0);
    o->how.progress = progress, o->how.ctx = &p;
    ivl_status s = ivl_task_run(t);
    if (s == IVL_OK) s = ivl_bench_task(b, dev, t, r, &o->how);
    cli_progress_end(&p);
    ivl_task_close(t);
    return s;
}

static ivl_status bench(options *o, machine *m, ivl_bench *b, int *slower_p)
{
    IVL_TRY(open_devices(o->devices, m));
    for (int i = 0; i < m->n; i++) IVL_TRY(roofs(m->dev[i], &m->roof[i]));
    for (int i = 0; i < m->n; i++) IVL_TRY(bench_device(o, m->dev[i], &m->roof[i], b));
    IVL_CHECK(b->n, IVL_EINVAL, "%s of %s has no op '%s'", o->task, o->what.model, o->how.op ? o->how.op : "");
    ivl_bench_sort(b);
    print_rows(o, b, m);
    if (o->json) IVL_TRY(ivl_bench_save(b, o->json));
    if (o->svg) IVL_TRY(ivl_bench_svg(b, m->dev[0]->spec, &m->roof[0], o->svg));
    return o->check ? check(o, b, slower_p) : IVL_OK;
}

int cmd_bench(int argc, char **argv)
{
    options o = { .task = "stage1", .slack = 1.5, .rows = 40, .how = { .budget = 0.1 },
                  .what = { .model = "small", .batch = 8, .text_len = 80, .new_tokens = 30 } };
    machine m = { 0 };
    ivl_bench b = { 0 };
    int slower = 0;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = bench(&o, &m, &b, &slower);
    int status = s == IVL_OK ? cli_done() : cli_failed();
    ivl_bench_free(&b);
    close_devices(&m);
    return status == CLI_OK && slower ? CLI_FAILED : status;
}
