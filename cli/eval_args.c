#include "cli/eval.h"

static const struct argp_option rows[] = {
    { "data", 'd', "PATH", 0, "Shards, a folder, a table (see ivl data check --help)", 0 },
    { "out", 'o', "F.json", 0, "Where the results go", 0 },
    { "languages", 'l', "LIST", 0, "Only captions of these languages, comma separated", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    cli_eval *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->model; break;
    case 'd': o->data = arg; break;
    case 'o': o->out = arg; break;
    case 'l': o->languages = arg; break;
    case ARGP_KEY_END:
        if (!o->data) cli_usage(state, "on what? Give --data PATH");
        if (!o->out) cli_usage(state, "where to? Give --out F.json");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_MODEL_CHILD, { 0 } };
const struct argp cli_eval_argp = { rows, parse, NULL, NULL, children, NULL, NULL };

ivl_eval_options cli_eval_options(const cli_eval *o, cli_progress *p)
{
    return (ivl_eval_options){ .model = o->model.dir,
                               .data = o->data,
                               .queries = o->model.options.queries,
                               .languages = o->languages,
                               .progress = cli_eval_progress,
                               .ctx = p };
}

int cli_eval_ended(const char *out, ivl_status s)
{
    if (s != IVL_OK) return cli_failed();
    printf("%s\n", out);
    return cli_done();
}
