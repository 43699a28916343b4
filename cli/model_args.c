#include "cli/model_args.h"

#include <stdlib.h>
#include <string.h>

static const struct argp_option rows[] = {
    { "model", 'm', "DIR", 0, "Model folder: config.json, safetensors, tokenizer.model", 0 },
    { "compute", 'c', "TYPE", 0, "Storage of weights and activations: fp32 (default), bf16, fp16", 0 },
    { "batch", 'b', "N", 0, "Pictures or texts at a time (8)", 0 },
    { "image-size", 'i', "PIXELS", 0, "Input size; positions are resized to it (the model's)", 0 },
    { "mode", 1000, "c|g", 0,
      "Picture vectors of InternVL-C (default), or of InternVL-G: with QLLaMA's queries, after stage 2", 0 },
    { 0 },
};

int cli_positive(struct argp_state *state, const char *arg, const char *what)
{
    char *end;
    long v = strtol(arg, &end, 10);
    if (!*arg || *end || v < 1 || v > 100000000) cli_usage(state, "%s takes a whole number above 0, not %s", what, arg);
    return (int)v;
}

double cli_number(struct argp_state *state, const char *arg, const char *what, double lo, double hi)
{
    char *end;
    double v = strtod(arg, &end);
    if (!*arg || *end || !(v >= lo && v <= hi))
        cli_usage(state, "%s takes a number from %g to %g, not %s", what, lo, hi, arg);
    return v;
}

ivl_dtype cli_storage(struct argp_state *state, const char *arg, const char *what)
{
    ivl_dtype d = IVL_F32;
    if (ivl_dtype_parse(arg, &d) != IVL_OK || d > IVL_F16)
        cli_usage(state, "%s takes fp32, bf16 or fp16, not %s", what, arg);
    return d;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    cli_model *m = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &m->device; break;
    case 'm': m->dir = arg; break;
    case 'c': m->options.compute = cli_storage(state, arg, "--compute"); break;
    case 'b': m->options.batch = cli_positive(state, arg, "--batch"); break;
    case 'i': m->options.image_size = cli_positive(state, arg, "--image-size"); break;
    case 1000:
        if (strcmp(arg, "c") && strcmp(arg, "g")) cli_usage(state, "--mode takes c or g, not %s", arg);
        m->options.queries = *arg == 'g';
        break;
    case ARGP_KEY_END:
        if (!m->dir && !m->optional) cli_usage(state, "which model? Give its folder as --model DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
const struct argp cli_model_argp = { rows, parse, NULL, NULL, children, NULL, NULL };

ivl_status cli_open_model(const cli_model *m, ivl_device **dev_p, ivl_embedder **e_p)
{
    IVL_TRY(cli_open_device(m->device, dev_p));
    return ivl_embedder_open(m->dir, *dev_p, &m->options, e_p);
}

char *cli_names_path(const char *npy)
{
    size_t n = strlen(npy);
    if (n > 4 && !strcmp(npy + n - 4, ".npy")) n -= 4;
    char *path = malloc(n + 7);
    if (path) sprintf(path, "%.*s.names", (int)n, npy);
    return path;
}

void cli_eval_progress(void *ctx, const char *what, int64_t done, int64_t total)
{
    cli_progress *p = ctx;
    if (done == 0) cli_progress_begin(p, what, (double)total, 0);
    cli_progress_step(p, (double)done, NULL);
    if (done == total) cli_progress_end(p);
}
