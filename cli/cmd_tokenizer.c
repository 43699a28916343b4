/* ivl tokenizer train: a vocabulary from texts. */
#include "cli/model_args.h"
#include "data/tokenizer.h"

typedef struct options { const char *corpus, *out; int vocab; } options;

static const struct argp_option rows[] = {
    { "corpus", 'c', "FILE", 0, "Texts, one a line", 0 },
    { "vocab", 'v', "N", 0, "Tokens (4000)", 0 },
    { "out", 'o', "FILE", 0, "tokenizer.model to write", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'c': o->corpus = arg; break;
    case 'v': o->vocab = cli_positive(state, arg, "--vocab"); break;
    case 'o': o->out = arg; break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (!o->corpus || !o->out) cli_usage(state, "give --corpus FILE and --out FILE");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int train(int argc, char **argv)
{
    static const struct argp argp = {
        rows, parse, NULL, "Trains a LLaMA-style vocabulary (sentencepiece BPE with byte fallback).", NULL, NULL, NULL,
    };
    options o = { .vocab = 4000 };
    cli_parse(&argp, argc, argv, &o);
    if (ivl_tokenizer_train(o.corpus, o.vocab, o.out) != IVL_OK) return cli_failed();
    printf("%s\n", o.out);
    return cli_done();
}

int cmd_tokenizer(int argc, char **argv)
{
    static const cli_command commands[] = { { "train", "a vocabulary from texts", train }, { 0 } };
    return cli_dispatch(commands, "ivl tokenizer", "Makes tokenizers.", argc, argv);
}
