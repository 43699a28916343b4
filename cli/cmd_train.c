/* ivl train: a recipe into a model, with a progress bar, checkpoints and metrics. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "train/train.h"

typedef struct options {
    const char       *recipe_file, *device;
    ivl_train_options train;
    const char       *set[64];
    int               n_set;
    bool              help_keys;
} options;

static volatile sig_atomic_t stop_signal;
static volatile int          stop;

static void on_signal(int sig)
{
    if (stop_signal) _Exit(128 + sig); /* the second time: at once; checkpoints are whole anyway */
    stop_signal = sig;
    stop = 1;
}

static const struct argp_option rows[] = {
    { "set", 's', "KEY=VALUE", 0, "Set a key of the recipe; may be repeated", 0 },
    { "out", 'o', "DIR", 0, "Where checkpoints, metrics and the model go", 0 },
    { "resume", 'r', NULL, 0, "Go on from the newest checkpoint in --out, if there is one", 0 },
    { "record", 1001, "DIR", 0, "Write initial weights and every batch, to replay the run elsewhere", 0 },
    { "overfit-batch", 1002, NULL, 0, "Train on the first batch over and over: the loss must fall to nothing", 0 },
    { "trace-nan", 1003, NULL, 0, "When a step is not finite, name the first bad tensor and stop (slower)", 0 },
    { "keys", 1004, NULL, 0, "List the recipe's keys with their defaults and meaning", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device; break;
    case 's':
        if (o->n_set == 64) cli_usage(state, "more than 64 --set");
        o->set[o->n_set++] = arg;
        break;
    case 'o': o->train.out = arg; break;
    case 'r': o->train.resume = true; break;
    case 1001: o->train.record = arg; break;
    case 1002: o->train.overfit = true; break;
    case 1003: o->train.trace_nan = true; break;
    case 1004: o->help_keys = true; break;
    case ARGP_KEY_ARG:
        if (o->recipe_file) cli_usage(state, "one recipe at a time");
        o->recipe_file = arg;
        break;
    case ARGP_KEY_END:
        if (o->help_keys) break;
        if (!o->recipe_file) cli_usage(state, "which recipe? Give a YAML file, conf/stage1_small.yaml say");
        if (!o->train.out) cli_usage(state, "where to? Give --out DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
static const struct argp argp = {
    rows,
    parse,
    "RECIPE.yaml",
    "Trains a stage as a recipe says: 1, 2, 3, or fine-tuning for retrieval.\v"
    "Keys come from the recipe, then from the environment (IVL_TRAIN_STEPS=100), then from --set. An "
    "interrupt or SIGTERM "
    "saves a checkpoint and ends with status 0; a killed run goes on with --resume, to the same bits.",
    children,
    NULL,
    NULL,
};

typedef struct screen { cli_progress bar; bool begun; } screen;

static void progress(void *ctx, const ivl_train_progress *p)
{
    screen *v = ctx;
    char text[160], roof[32] = "", parts[80] = "";
    if (!v->begun) cli_progress_begin(&v->bar, "train", (double)p->steps, (double)p->step - 1);
    v->begun = true;
    if (p->utilisation > 0) snprintf(roof, sizeof roof, " (%.0f %% of the roof)", 100 * p->utilisation);
    if (p->stage == 3) snprintf(parts, sizeof parts, " (%.0f %% of tokens right)", 100 * p->hits);
    else if (p->retrieval) snprintf(parts, sizeof parts, " (match %.2f, contrast %.2f)", p->itm, p->itc);
    else if (p->stage == 2)
        snprintf(parts, sizeof parts, " (match %.2f, contrast %.2f, generate %.2f)", p->itm, p->itc, p->itg);
    snprintf(text, sizeof text, "loss %.3f%s  %.0f samples/s  %.0f GFLOP/s%s", p->loss, parts, p->samples_per_s,
             p->gflops, roof);
    cli_progress_step(&v->bar, (double)p->step, text);
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "\nivl: note: %s\n", text);
}

static ivl_status read_recipe(const options *o, ivl_recipe *r)
{
    IVL_TRY(ivl_conf_yaml(ivl_recipe_rows, ivl_recipe_n_rows, r, o->recipe_file));
    IVL_TRY(ivl_conf_env(ivl_recipe_rows, ivl_recipe_n_rows, r, "IVL_TRAIN"));
    for (int i = 0; i < o->n_set; i++) IVL_TRY(ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, r, o->set[i], "--set"));
    return ivl_recipe_check(r);
}

static int train(options *o, const ivl_recipe *r)
{
    ivl_device *dev = NULL;
    screen v = { 0 };
    bool done = false;
    if (cli_open_device(o->device, &dev) != IVL_OK) return cli_failed();
    o->train.progress = progress, o->train.note = note, o->train.ctx = &v, o->train.stop = &stop;
    struct sigaction a = { .sa_handler = on_signal };
    sigaction(SIGINT, &a, NULL), sigaction(SIGTERM, &a, NULL), sigaction(SIGUSR1, &a, NULL);
    ivl_status s = ivl_train(r, dev, &o->train, &done);
    if (v.begun) cli_progress_end(&v.bar);
    ivl_device_close(dev);
    if (s != IVL_OK) return cli_failed();
    if (done) printf("%s/model\n", o->train.out);
    else fprintf(stderr, "ivl: stopped and saved: go on with --resume\n");
    return cli_done();
}

int cmd_train(int argc, char **argv)
{
    options o = { 0 };
    ivl_recipe r;
    cli_parse(&argp, argc, argv, &o);
    if (o.help_keys) {
        ivl_conf_help(ivl_recipe_rows, ivl_recipe_n_rows, stdout);
        return cli_done();
    }
    if (ivl_conf_defaults(ivl_recipe_rows, ivl_recipe_n_rows, &r) != IVL_OK) return cli_failed();
    int status;
    ivl_status s = read_recipe(&o, &r);
    if (s != IVL_OK) {
        status = cli_failed();
        if (s != IVL_EIO && s != IVL_ENOMEM) status = CLI_USAGE; /* it could be read, and is wrong */
    } else {
        status = train(&o, &r);
    }
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
    return status;
}
