/* ivl convert: models from one kind of file to another. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "train/convert.h"

typedef struct options { const char *in, *out, *to; ivl_convert_options convert; } options;

static const struct argp_option rows[] = {
    { "to", 't', "hf|gguf", 0, "What to write: a Hugging Face folder, or a GGUF file (as OUT's name ends)", 0 },
    { "dtype", 'y', "TYPE", 0,
      "f32, f16, bf16; in GGUF also q8_0, q4_0, q4_1 (as in IN, where OUT can hold it, else f32). Vectors stay f32 "
      "in "
      "GGUF",
      0 },
    { "config", 'g', "NAME|FILE", 0,
      "Of a .pth file: its InternVL configuration (read off its shapes, heads of width 128)", 0 },
    { 0 },
};

static void finish(options *o, struct argp_state *state)
{
    if (!o->out) cli_usage(state, "give IN and OUT");
    size_t n = strlen(o->out);
    if (!o->to) o->to = n > 5 && !strcmp(o->out + n - 5, ".gguf") ? "gguf" : "hf";
    o->convert.gguf = !strcmp(o->to, "gguf");
    if (!o->convert.gguf && strcmp(o->to, "hf")) cli_usage(state, "--to takes hf or gguf, not %s", o->to);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 't': o->to = arg; break;
    case 'g': o->convert.config = arg; break;
    case 'y':
        if (ivl_dtype_parse(arg, &o->convert.dtype) != IVL_OK) cli_usage(state, "%s", ivl_last_error());
        o->convert.has_dtype = true;
        break;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) o->in = arg;
        else if (state->arg_num == 1) o->out = arg;
        else cli_usage(state, "unexpected argument '%s'", arg);
        break;
    case ARGP_KEY_END: finish(o, state); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    rows,
    parse,
    "IN OUT",
    "Converts LLaMA-type language models between Hugging Face folders (config.json, safetensors, tokenizer) and GGUF "
    "files, and the public .pth files of InternVL into folders; nothing in a .pth file is ever run. Tensors that are "
    "missing, left over or of a wrong shape are listed by name.",
    NULL,
    NULL,
    NULL,
};

static void report(const ivl_load_report *r)
{
    for (int i = 0; i < r->n; i++)
        fprintf(stderr, "%s: %s%s%s\n", ivl_note_name(r->note[i].kind), r->note[i].name, *r->note[i].detail ? " " : "",
                r->note[i].detail);
}

int cmd_convert(int argc, char **argv)
{
    options o = { 0 };
    ivl_convert_report r;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = ivl_convert_model(o.in, o.out, &o.convert, &r);
    report(&r.load);
    if (s == IVL_OK)
        printf("%s: %d tensors, %.1f million weights, %s; tokenizer %s\n", o.out, r.tensors, (double)r.elements / 1e6,
               ivl_dtype_name(r.dtype), r.tokenizer);
    ivl_convert_report_free(&r);
    return s == IVL_OK ? cli_done() : cli_failed();
}
