#include "cli/head_args.h"

#include <stdlib.h>

enum { VAL = 1100, HOLDOUT, EPOCHS, HEAD_BATCH, RATE, WARMUP, SEED };

static const struct argp_option rows[] = {
    { "data", 'd', "PATH", 0, "Shards or a folder (see ivl data check --help)", 0 },
    { "val", VAL, "PATH", 0, "Test on these instead of holding some of --data out", 0 },
    { "holdout", HOLDOUT, "SHARE", 0, "Share of --data that is tested on and not trained on (0.2)", 0 },
    { "out", 'o', "DIR", 0, "Where the head and the results go", 0 },
    { "epochs", EPOCHS, "N", 0, "Times through the data (10)", 0 },
    { "head-batch", HEAD_BATCH, "N", 0,
      "Pictures per step of the head (probe: a sixteenth of them, 16 to 1024; seg: 16)", 0 },
    { "lr", RATE, "RATE", 0, "Peak learning rate (probe: 0.1 per 512 pictures of a step, at least 0.03; seg: 0.001)",
      0 },
    { "warmup", WARMUP, "EPOCHS", 0, "The rate grows linearly for so long (1)", 0 },
    { "seed", SEED, "N", 0, "Of first weights, order, split (0)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    cli_head *h = state->input;
    ivl_probe_options *o = &h->probe;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &h->model; break;
    case 'd': o->data = arg; break;
    case VAL: o->val = arg; break;
    case HOLDOUT: o->holdout = cli_number(state, arg, "--holdout", 0.001, 0.9); break;
    case 'o': o->out = arg; break;
    case EPOCHS: o->rule.epochs = cli_positive(state, arg, "--epochs"); break;
    case HEAD_BATCH: o->rule.batch = cli_positive(state, arg, "--head-batch"); break;
    case RATE: o->rule.rate = cli_number(state, arg, "--lr", 1e-9, 100); break;
    case WARMUP: o->rule.warmup = cli_number(state, arg, "--warmup", 0, 1e6); break;
    case SEED: o->rule.seed = (uint64_t)cli_number(state, arg, "--seed", 0, 9e15); break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (!o->data) cli_usage(state, "on what? Give --data PATH");
        if (!o->out) cli_usage(state, "where to? Give --out DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_MODEL_CHILD, { 0 } };
const struct argp cli_head_argp = { rows, parse, NULL, NULL, children, NULL, NULL };

ivl_status cli_head_open(cli_head *h, cli_progress *p, ivl_device **dev_p)
{
    ivl_probe_options *o = &h->probe;
    o->frozen.model = h->model.dir;
    o->frozen.compute = h->model.options.compute;
    o->frozen.batch = h->model.options.batch > 0 ? h->model.options.batch : 8;
    o->frozen.image_size = h->model.options.image_size;
    o->frozen.progress = o->rule.progress = cli_eval_progress;
    o->frozen.ctx = o->rule.ctx = p;
    return cli_open_device(h->model.device, dev_p);
}
