/* ivl report: a run as one self-contained HTML page. */
#include <stdlib.h>

#include "cli/cli.h"
#include "runtime/file.h"
#include "train/report.h"

typedef struct options { const char *run, *out; } options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'o': o->out = arg; break;
    case ARGP_KEY_ARG:
        if (o->run) cli_usage(state, "one run at a time");
        o->run = arg;
        break;
    case ARGP_KEY_END:
        if (!o->run) cli_usage(state, "which run? Give the --out folder of ivl train");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option rows[] = {
    { "out", 'o', "F.html", 0, "Where the page goes (RUN/report.html)", 0 }, { 0 }
};
static const struct argp argp = {
    rows,
    parse,
    "RUN",
    "Writes the report of a run: facts, curves, recall tables (RUN/eval/*.json), searches (RUN/search.json).",
    NULL,
    NULL,
    NULL,
};

int cmd_report(int argc, char **argv)
{
    options o = { 0 };
    cli_parse(&argp, argc, argv, &o);
    char *path = ivl_path_join(o.run, "report.html");
    ivl_status s = path ? ivl_report_write(o.run, o.out ? o.out : path)
                        : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) printf("%s\n", o.out ? o.out : path);
    free(path);
    return s == IVL_OK ? cli_done() : cli_failed();
}
