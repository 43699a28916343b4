/* ivl caption: what a model after stage 2 writes about pictures. */
#include <stdlib.h>
#include <string.h>

#include "cli/decode_args.h"
#include "cli/model_args.h"
#include "train/captioner.h"
#include "train/pictures.h"

typedef struct options { cli_model model; const char *images, *prompt; ivl_decode_options decode; } options;

static const struct argp_option rows[] = {
    { "images", 'p', "FILE|DIR|TAR", 0, "Pictures: a file, a folder (sorted names), a shard (record order), a table",
      0 },
    { "prompt", 'P', "TEXT", 0, "What the caption goes on from (\"English caption:\")", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->model, state->child_inputs[1] = &o->decode; break;
    case 'p': o->images = arg; break;
    case 'P': o->prompt = arg; break;
    case ARGP_KEY_END:
        if (!o->images) cli_usage(state, "of what? Give --images FILE, a folder or a shard");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_MODEL_CHILD, CLI_DECODE_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Writes a caption for every picture, a line each: the picture's name, a tab, the caption.\v"
    "The model must have gone through stage 2.",
    children, NULL, NULL,
};

static ivl_status batch(const ivl_dataset *ds, int64_t first, int n, ivl_captioner *c)
{
    ivl_pictures p;
    char *text[IVL_PICTURES] = { 0 };
    IVL_TRY(ivl_pictures_read(ds, NULL, first, n, &p));
    ivl_status s = ivl_captioner_run(c, p.pic, n, text);
    for (int i = 0; i < n; i++) {
        if (s == IVL_OK) printf("%s\t%s\n", ivl_dataset_key(ds, first + i), text[i]);
        free(text[i]);
    }
    ivl_pictures_free(&p);
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
    int n = o.model.options.batch < IVL_PICTURES ? o.model.options.batch : IVL_PICTURES;
    ivl_captioner_options c_o = { o.model.options.compute, n, o.prompt, o.decode };
    ivl_status s = ivl_captioner_open(o.model.dir, dev, &c_o, &c);
    if (s == IVL_OK) s = caption_all(&o, c);
    ivl_captioner_close(c);
    ivl_device_close(dev);
    return s == IVL_OK ? cli_done() : cli_failed();
}
