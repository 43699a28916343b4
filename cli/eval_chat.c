/* ivl eval pope, ivl eval chat: what a chat model's answers about pictures are worth. */
#include <string.h>

#include "cli/decode_args.h"
#include "cli/eval.h"
#include "train/quiz.h"

enum { MAX_LISTS = 16, SUFFIX = 3200, BLIND, FIRST, ANSWERS, TEMPLATE, SYSTEM };

typedef struct options {
    const char *model, *device, *list[MAX_LISTS], *images, *out;
    bool        pope;
    int         n_lists;
    ivl_talk_options talk;
    ivl_quiz_options quiz;
} options;

static const struct argp_option rows[] = {
    { "model", 'm', "DIR", 0, "InternVL-Chat folder", 0 },
    { "questions", 'q', "F.json", 0,
      "pope: yes/no questions in POPE's form, as ivl data scenes writes them; may be repeated", 0 },
    { "conversations", 'l', "F.json", 0, "chat: conversations in LLaVA's form, JSON or JSONL", 0 },
    { "images", 'p', "PATH", 0, "Where their pictures are: a folder or a tar", 0 },
    { "out", 'o', "F.json", 0, "Where the results go", 0 },
    { "blind", BLIND, "grey|none", 0, "Instead of its picture show a grey one, or none: what words alone tell", 0 },
    { "suffix", SUFFIX, "TEXT", 0,
      "A line behind every question, such as \"Answer the question using a single word or phrase.\"", 0 },
    { "first", FIRST, "N", 0, "Only the first N questions of a list (all)", 0 },
    { "answers", ANSWERS, "F.jsonl", 0, "Also write every answer there (of the last list)", 0 },
    { "examples", 'e', "F.json", 0, "Write some with their pictures, for ivl report", 0 },
    { "n-examples", 'n', "N", 0, "Of how many pictures (6)", 0 },
    { "batch", 'b', "N", 0, "Questions at a time (16)", 0 },
    { "compute", 'c', "TYPE", 0, "Storage of weights and activations: fp32 (default), bf16, fp16", 0 },
    { "template", TEMPLATE, "NAME", 0, "vicuna, plain or chatml (the model's own, else vicuna)", 0 },
    { "system", SYSTEM, "TEXT", 0, "System message (the model's own, or the template's)", 0 },
    { 0 },
};

static void take_list(options *o, char *arg, struct argp_state *state)
{
    if (o->n_lists == (o->pope ? MAX_LISTS : 1)) cli_usage(state, "more than %d lists", o->n_lists);
    o->list[o->n_lists++] = arg;
}

static void check_all(const options *o, const struct argp_state *state)
{
    if (!o->model) cli_usage(state, "which model? Give its folder as --model DIR");
    if (!o->n_lists)
        cli_usage(state, "which questions? Give %s", o->pope ? "--questions F.json" : "--conversations F.json");
    if (!o->images && o->pope) cli_usage(state, "about what? Give --images, a folder or a tar");
    if (!o->out) cli_usage(state, "where to? Give --out F.json");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device, state->child_inputs[1] = &o->talk.decode; break;
    case 'm': o->model = arg; break;
    case 'q':
    case 'l':
        if ((key == 'q') != o->pope)
            cli_usage(state, "%s", o->pope ? "pope takes --questions" : "chat takes --conversations");
        take_list(o, arg, state);
        break;
    case 'p': o->images = arg; break;
    case 'o': o->out = arg; break;
    case BLIND:
        if (strcmp(arg, "grey") && strcmp(arg, "none")) cli_usage(state, "--blind takes grey or none, not %s", arg);
        o->quiz.blind = *arg == 'g' ? IVL_SEES_GREY : IVL_SEES_NOTHING;
        break;
    case SUFFIX: o->quiz.suffix = arg; break;
    case FIRST: o->quiz.first = cli_positive(state, arg, "--first"); break;
    case ANSWERS: o->quiz.answers = arg; break;
    case 'e': o->quiz.examples = arg; break;
    case 'n': o->quiz.n_examples = cli_positive(state, arg, "--n-examples"); break;
    case 'b': o->quiz.batch = cli_positive(state, arg, "--batch"); break;
    case 'c': o->talk.compute = cli_storage(state, arg, "--compute"); break;
    case TEMPLATE: o->talk.form = arg; break;
    case SYSTEM: o->talk.system = arg; break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END: check_all(o, state); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, CLI_DECODE_CHILD, { 0 } };

static int run(int argc, char **argv, bool pope, int max_new, const char *about)
{
    const struct argp argp = { rows, parse, NULL, about, children, NULL, NULL };
    cli_progress p = { 0 };
    options o = { .pope = pope, .talk.decode = ivl_decode_defaults() };
    ivl_device *dev = NULL;
    ivl_talk *t = NULL;
    o.talk.decode.max_new = max_new;
    o.quiz = (ivl_quiz_options){ .batch = 16, .n_examples = 6, .progress = cli_eval_progress, .ctx = &p };
    cli_parse(&argp, argc, argv, &o);
    o.quiz.model = o.model;
    ivl_status s = cli_open_device(o.device, &dev);
    if (s == IVL_OK) s = ivl_talk_open(o.model, dev, &o.talk, &t);
    if (s == IVL_OK)
        s = pope ? ivl_eval_pope(t, o.list, o.n_lists, o.images, &o.quiz, o.out)
                 : ivl_eval_chat(t, o.list[0], o.images, &o.quiz, o.out);
    ivl_talk_close(t);
    ivl_device_close(dev);
    return cli_eval_ended(o.out, s);
}

int cli_eval_pope(int argc, char **argv)
{
    return run(argc, argv, true, 16,
               "Asks a chat model whether things are in pictures (POPE): accuracy, precision, recall, F1 and the share "
               "of yes, beside what a coin gets and what always saying yes gets.");
}

int cli_eval_chat(int argc, char **argv)
{
    return run(argc, argv, false, 40,
               "Asks a chat model the questions of conversations, each by itself, and counts exact answers per kind of "
               "question: what, how many, which colour, where, is there, is it beside.");
}
