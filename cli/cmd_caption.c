/* ivl caption: what a model after stage 2 writes about pictures. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "data/record.h"
#include "train/captioner.h"

typedef struct options { cli_model model; const char *images, *prompt; ivl_decode_options decode; } options;

enum { MAX_NEW = 1000, MIN_NEW, PENALTY, REPEAT, NGRAM, TEMPERATURE, TOP_P, SEED };
static const struct argp_option rows[] = {
    { "images", 'p', "FILE|DIR|TAR", 0, "Pictures: a file, a folder (sorted names), a shard (record order), a table",
      0 },
    { "prompt", 'P', "TEXT", 0, "What the caption goes on from (\"English caption:\")", 0 },
    { "beams", 'B', "N", 0, "Beam search with so many beams (1: the likeliest token each time)", 0 },
    { "max-new", MAX_NEW, "N", 0, "Tokens at most (30)", 0 },
    { "min-new", MIN_NEW, "N", 0, "Tokens at least (0)", 0 },
    { "length-penalty", PENALTY, "X", 0, "Beams: above 1 prefers longer captions (1)", 0 },
    { "repetition-penalty", REPEAT, "X", 0, "Above 1: tokens that were there get less likely (1)", 0 },
    { "no-repeat-ngram", NGRAM, "N", 0, "No N tokens occur twice (0: off)", 0 },
    { "temperature", TEMPERATURE, "X", 0, "Above 0: sample instead of the likeliest token", 0 },
    { "top-p", TOP_P, "X", 0, "Sample from the likeliest tokens that make up so much (1)", 0 },
    { "seed", SEED, "N", 0, "Of sampling (0)", 0 },
    { 0 },
};

static double number(struct argp_state *state, const char *arg, const char *what, double lo, double hi)
{
    char *end;
    double v = strtod(arg, &end);
    if (!*arg || *end || !(v >= lo && v <= hi))
        cli_usage(state, "%s takes a number from %g to %g, not %s", what, lo, hi, arg);
    return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    ivl_decode_options *d = &o->decode;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->model; break;
    case 'p': o->images = arg; break;
    case 'P': o->prompt = arg; break;
    case 'B': d->beams = (int)number(state, arg, "--beams", 1, 64); break;
    case MAX_NEW: d->max_new = (int)number(state, arg, "--max-new", 1, 4096); break;
    case MIN_NEW: d->min_new = (int)number(state, arg, "--min-new", 0, 4096); break;
    case PENALTY: d->length_penalty = number(state, arg, "--length-penalty", -10, 10); break;
    case REPEAT: d->repetition_penalty = number(state, arg, "--repetition-penalty", 0.1, 10); break;
    case NGRAM: d->no_repeat_ngram = (int)number(state, arg, "--no-repeat-ngram", 0, 100); break;
    case TEMPERATURE: d->temperature = number(state, arg, "--temperature", 0, 100); break;
    case TOP_P: d->top_p = number(state, arg, "--top-p", 1e-6, 1); break;
    case SEED: d->seed = (uint64_t)number(state, arg, "--seed", 0, 9e15); break;
    case ARGP_KEY_END:
        if (!o->images) cli_usage(state, "of what? Give --images FILE, a folder or a shard");
        if (d->beams > 1 && d->temperature > 0) cli_usage(state, "--temperature samples: it goes without --beams");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_MODEL_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Writes a caption for every picture, a line each: the picture's name, a tab, the caption.\v"
    "The model must have gone through stage 2.",
    children, NULL, NULL,
};

enum { MOST = 64 };

static ivl_status batch(const ivl_dataset *ds, int64_t first, int n, ivl_captioner *c)
{
    ivl_sample rec[MOST] = { 0 };
    ivl_picture pic[MOST] = { 0 };
    char where[MOST][512], *text[MOST] = { 0 };
    ivl_status s = IVL_OK;
    for (int i = 0; i < n && s == IVL_OK; i++) {
        s = ivl_dataset_read(ds, first + i, &rec[i]);
        ivl_dataset_where(ds, first + i, where[i], sizeof where[i]);
        pic[i] = (ivl_picture){ rec[i].image, rec[i].image_bytes, where[i] };
    }
    if (s == IVL_OK) s = ivl_captioner_run(c, pic, n, text);
    for (int i = 0; i < n; i++) {
        if (s == IVL_OK) printf("%s\t%s\n", ivl_dataset_key(ds, first + i), text[i]);
        ivl_sample_free(&rec[i]);
        free(text[i]);
    }
    return s;
}

static ivl_status caption_all(const options *o, ivl_captioner *c)
{
    ivl_dataset *ds = NULL;
    cli_progress p;
    IVL_TRY(ivl_dataset_open(o->images, &ds));
    int64_t n = ivl_dataset_count(ds);
    ivl_status s = IVL_OK;
    cli_progress_begin(&p, "captions", (double)n, 0);
    for (int64_t i = 0; i < n && s == IVL_OK; i += ivl_captioner_batch(c)) {
        int64_t left = n - i, most = ivl_captioner_batch(c);
        s = batch(ds, i, (int)(left < most ? left : most), c);
        cli_progress_step(&p, (double)(i + (left < most ? left : most)), NULL);
    }
    cli_progress_end(&p);
    ivl_dataset_close(ds);
    return s;
}

int cmd_caption(int argc, char **argv)
{
    options o = { .decode = ivl_decode_defaults() };
    ivl_device *dev = NULL;
    ivl_captioner *c = NULL;
    cli_parse(&argp, argc, argv, &o);
    if (cli_open_device(o.model.device, &dev) != IVL_OK) return cli_failed();
    int n = o.model.options.batch < MOST ? o.model.options.batch : MOST;
    ivl_captioner_options c_o = { o.model.options.compute, n, o.prompt, o.decode };
    ivl_status s = ivl_captioner_open(o.model.dir, dev, &c_o, &c);
    if (s == IVL_OK) s = caption_all(&o, c);
    ivl_captioner_close(c);
    ivl_device_close(dev);
    return s == IVL_OK ? cli_done() : cli_failed();
}
