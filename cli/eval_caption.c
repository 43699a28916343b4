/* ivl eval caption: captions beside people's, and beside the nearest neighbour's. */
#include "cli/decode_args.h"
#include "cli/eval.h"

typedef struct options {
    cli_eval           eval;
    ivl_decode_options decode;
    ivl_eval_captions  captions;
    const char        *prompt, *examples;
    int                most, n_examples;
    uint64_t           pick;
} options;

enum { PROMPT = 3000, WRITE, PICTURES, PICK };
static const struct argp_option rows[] = {
    { "neighbours", 't', "TRAIN", 0,
      "Also score the baseline: each picture gets the caption of the one among these that is most like it by the "
      "model's vectors (--mode)",
      0 },
    { "results", 'r', "F.json", 0,
      "Score these captions, [{\"image_id\", \"caption\"}] as COCO has them, instead of writing some: needs no model",
      0 },
    { "captions", WRITE, "F.json", 0, "Also write the captions there, in COCO's form", 0 },
    { "examples", 'e', "F.json", 0, "Write examples with their pictures, for ivl report", 0 },
    { "n-examples", 'n', "N", 0, "How many (24)", 0 },
    { "pictures", PICTURES, "N", 0, "Only so many pictures, drawn by --pick (all)", 0 },
    { "pick", PICK, "N", 0, "Seed of --pictures (0)", 0 },
    { "prompt", PROMPT, "TEXT", 0, "What the caption goes on from (\"English caption:\")", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->eval, state->child_inputs[1] = &o->decode;
        o->eval.model.optional = true;
        break;
    case 't': o->captions.neighbours = arg; break;
    case 'r': o->captions.results = arg; break;
    case WRITE: o->captions.write = arg; break;
    case 'e': o->examples = arg; break;
    case 'n': o->n_examples = cli_positive(state, arg, "--n-examples"); break;
    case PICTURES: o->most = cli_positive(state, arg, "--pictures"); break;
    case PICK: o->pick = (uint64_t)cli_number(state, arg, "--pick", 0, 9e15); break;
    case PROMPT: o->prompt = arg; break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (o->eval.model.dir) break;
        if (!o->captions.results) cli_usage(state, "which model? Give --model DIR, or captions as --results");
        if (o->captions.neighbours) cli_usage(state, "--neighbours compares pictures by a model: give --model DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_EVAL_CHILD, CLI_DECODE_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Writes captions of pictures and scores them against the captions that the data has: CIDEr, BLEU-1 to 4, ROUGE-L, "
    "as the COCO caption evaluation computes them.\v"
    "The model must have gone through stage 2.",
    children, NULL, NULL,
};

int cli_eval_caption(int argc, char **argv)
{
    options o = { .eval.model.options.batch = 16, .decode = ivl_decode_defaults(), .n_examples = 24 };
    ivl_device *dev = NULL;
    ivl_dataset *ds = NULL;
    cli_progress p = { 0 };
    o.decode.beams = 5;
    cli_parse(&argp, argc, argv, &o);
    const ivl_embedder_options *m = &o.eval.model.options;
    ivl_eval_options eval = cli_eval_options(&o.eval, &p);
    eval.seed = o.pick, eval.most = o.most, eval.examples = o.examples, eval.n_examples = o.n_examples;
    o.captions.captioner = (ivl_captioner_options){ m->compute, m->batch, o.prompt, o.decode };
    o.captions.embedder = *m;
    ivl_status s = o.eval.model.dir ? cli_open_device(o.eval.model.device, &dev) : IVL_OK;
    if (s == IVL_OK) s = ivl_dataset_open(eval.data, &ds);
    if (s == IVL_OK) s = ivl_eval_caption(eval.model, dev, &o.captions, ds, &eval, o.eval.out);
    ivl_dataset_close(ds);
    ivl_device_close(dev);
    return cli_eval_ended(o.eval.out, s);
}
