/* ivl merge: an adapter into the weights of its model. */
#include "cli/model_args.h"
#include "model/lora.h"

typedef struct options { const char *model, *lora, *out; ivl_dtype dtype; } options;

static const struct argp_option rows[] = {
    { "model", 'm', "DIR", 0, "Model: config.json, safetensors, tokenizer", 0 },
    { "lora", 'l', "DIR", 0, "Adapter: adapter_config.json, adapter_model.safetensors", 0 },
    { "out", 'o', "DIR", 0, "Folder to write the merged model to", 0 },
    { "dtype", 't', "TYPE", 0, "Its weights: fp32 (default), bf16, fp16", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'm': o->model = arg; break;
    case 'l': o->lora = arg; break;
    case 'o': o->out = arg; break;
    case 't': o->dtype = cli_storage(state, arg, "--dtype"); break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (!o->model || !o->lora || !o->out) cli_usage(state, "give --model DIR, --lora DIR and --out DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int cmd_merge(int argc, char **argv)
{
    static const struct argp argp = {
        rows, parse, NULL,
        "Adds a LoRA adapter to its model's weights: W + alpha/r B A. The result is a plain model.\v"
        "Works on any folder of safetensors whose tensors the adapter names, and needs no device.",
        NULL, NULL, NULL,
    };
    options o = { .dtype = IVL_F32 };
    cli_parse(&argp, argc, argv, &o);
    if (ivl_lora_merge_files(o.model, o.lora, o.out, o.dtype) != IVL_OK) return cli_failed();
    printf("%s\n", o.out);
    return cli_done();
}
