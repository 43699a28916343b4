/* ivl eval itm: does the head of stage 2 tell true pairs from wrong ones? */
#include "cli/eval.h"

typedef struct options { cli_eval eval; uint64_t seed; int most; } options;

enum { PICTURES = 3100 };
static const struct argp_option rows[] = {
    { "pictures", PICTURES, "N", 0, "Only so many pictures, drawn by the seed (all)", 0 },
    { "seed", 's', "N", 0, "Of what is drawn: captions, wrong captions, pictures (0)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->eval; break;
    case PICTURES: o->most = cli_positive(state, arg, "--pictures"); break;
    case 's': o->seed = (uint64_t)cli_number(state, arg, "--seed", 0, 9e15); break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_EVAL_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Shows each picture with a caption of its own, with one of another picture, and with the wrong one that is most "
    "like it by the model's own vectors (--mode): how often does the matching head tell which is which? Half of the "
    "pairs are true, so guessing gives 50 percent.\v"
    "The model must have gone through stage 2.",
    children, NULL, NULL,
};

int cli_eval_itm(int argc, char **argv)
{
    options o = { .eval.model.options.batch = 16 };
    ivl_device *dev = NULL;
    ivl_dataset *ds = NULL;
    cli_progress p = { 0 };
    cli_parse(&argp, argc, argv, &o);
    ivl_eval_options eval = cli_eval_options(&o.eval, &p);
    eval.seed = o.seed, eval.most = o.most;
    ivl_status s = cli_open_device(o.eval.model.device, &dev);
    if (s == IVL_OK) s = ivl_dataset_open(eval.data, &ds);
    if (s == IVL_OK) s = ivl_eval_itm(eval.model, dev, &o.eval.model.options, ds, &eval, o.eval.out);
    ivl_dataset_close(ds);
    ivl_device_close(dev);
    return cli_eval_ended(o.eval.out, s);
}
