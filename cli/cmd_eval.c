/* ivl eval: scores of a model on a data set; here retrieval and zeroshot, the others in cli/eval_*.c. */
#include "cli/eval.h"

typedef struct options {
    cli_eval    eval;
    const char *classes, *templates, *dataset, *examples;
    bool        zeroshot;
    int         n_examples;
} options;

static const struct argp_option rows[] = {
    { "examples", 'e', "F.json", 0, "retrieval: write example searches with their pictures, for ivl report", 0 },
    { "n-examples", 'n', "N", 0, "retrieval: how many (16)", 0 },
    { "classes", 'k', "F.json", 0, "zeroshot: class names in CLIP_benchmark's form {DATASET: [name, ...]}", 0 },
    { "templates", 't', "F.json", 0, "zeroshot: prompts {DATASET: [\"a photo of a {c}.\", ...]}", 0 },
    { "dataset", 's', "NAME", 0, "zeroshot: the entry of both files to use (the only one)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->eval; break;
    case 'e': o->examples = arg; break;
    case 'n': o->n_examples = cli_positive(state, arg, "--n-examples"); break;
    case 'k': o->classes = arg; break;
    case 't': o->templates = arg; break;
    case 's': o->dataset = arg; break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (o->zeroshot && (!o->classes || !o->templates)) cli_usage(state, "zeroshot needs --classes and --templates");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_EVAL_CHILD, { 0 } };

static ivl_status evaluate(const options *o, ivl_embedder *e, cli_progress *p)
{
    ivl_dataset *ds = NULL;
    ivl_eval_options eval = cli_eval_options(&o->eval, p);
    eval.examples = o->examples, eval.n_examples = o->n_examples;
    IVL_TRY(ivl_dataset_open(eval.data, &ds));
    ivl_status s = o->zeroshot ? ivl_eval_zeroshot(e, ds, &eval, o->classes, o->templates, o->dataset, o->eval.out)
                               : ivl_eval_retrieval(e, ds, &eval, o->eval.out);
    ivl_dataset_close(ds);
    return s;
}

static int run(int argc, char **argv, bool zeroshot, const char *about)
{
    const struct argp argp = { rows, parse, NULL, about, children, NULL, NULL };
    options o = { .zeroshot = zeroshot, .n_examples = 16 };
    ivl_device *dev = NULL;
    ivl_embedder *e = NULL;
    cli_progress p = { 0 };
    o.eval.model.options.batch = 32;
    o.eval.model.options.center_crop = zeroshot;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = cli_open_model(&o.eval.model, &dev, &e);
    if (s == IVL_OK) s = evaluate(&o, e, &p);
    ivl_embedder_close(e);
    ivl_device_close(dev);
    return cli_eval_ended(o.eval.out, s);
}

static int retrieval(int argc, char **argv)
{
    return run(
        argc, argv, false,
        "Finds pictures by their captions and captions by their pictures: recall at 1, 5 and 10 in both "
        "directions, per language, with chance beside it.");
}

static int zeroshot(int argc, char **argv)
{
    return run(argc, argv, true, "Classifies pictures by the text vectors of class names in prompts.");
}

int cmd_eval(int argc, char **argv)
{
    static const cli_command commands[] = {
        { "retrieval", "recall of captions and pictures, per language", retrieval },
        { "zeroshot", "classification by class names", zeroshot },
        { "caption", "captions beside people's (a model after stage 2)", cli_eval_caption },
        { "chat", "exact answers of a chat model, per kind of question", cli_eval_chat },
        { "itm", "do pictures and texts match (a model after stage 2)", cli_eval_itm },
        { "perplexity", "how well a language model foresees a text", cli_eval_perplexity },
        { "pope", "does a chat model see what is there (POPE)", cli_eval_pope },
        { 0 },
    };
    return cli_dispatch(commands, "ivl eval", "Scores a model on a data set.", argc, argv);
}
