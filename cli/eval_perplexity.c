#include "cli/eval.h"
#include "cli/model_args.h"
#include "train/perplexity.h"

typedef struct options { const char *model, *device, *text; ivl_perplexity_options o; } options;

static const struct argp_option rows[] = {
    { "model", 'm', "DIR|F.gguf", 0, "A language model, or the one of an InternVL-Chat folder", 0 },
    { "text", 't', "FILE", 0, "The text, UTF-8", 0 },
    { "compute", 'c', "TYPE", 0, "Storage of weights and activations: fp32 (default), bf16, fp16", 0 },
    { "window", 'w', "N", 0,
      "Tokens the model sees at a time (512, or what it can take); windows overlap by half, and a token counts where "
      "it has more before it",
      0 },
    { "logits", 'l', "F.npy", 0, "Write the next-token logits of every position: float32 [tokens, vocabulary]", 0 },
    { "out", 'o', "F.json", 0, "Write the result with the tokens and the log-probability of each", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device; break;
    case 'm': o->model = arg; break;
    case 't': o->text = arg; break;
    case 'c': o->o.compute = cli_storage(state, arg, "--compute"); break;
    case 'w': o->o.window = cli_positive(state, arg, "--window"); break;
    case 'l': o->o.logits = arg; break;
    case 'o': o->o.out = arg; break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (!o->model) cli_usage(state, "which model? Give its folder or GGUF file as --model");
        if (!o->text) cli_usage(state, "of which text? Give its file as --text");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "How well a language model foresees a text: perplexity, exp of the mean of -log p of each token after those before "
    "it. Prompts and templates are not added.",
    children, NULL, NULL,
};

int cli_eval_perplexity(int argc, char **argv)
{
    options o = { .o = { .compute = IVL_F32 } };
    ivl_device *dev = NULL;
    ivl_perplexity p = { 0 };
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = cli_open_device(o.device, &dev);
    if (s == IVL_OK) s = ivl_eval_perplexity(o.model, dev, o.text, &o.o, &p);
    ivl_device_close(dev);
    if (s != IVL_OK) return cli_failed();
    printf("perplexity %.4f (%.4f nats a token) of %lld tokens\n", p.perplexity, p.loss, (long long)p.scored);
    return cli_done();
}
