/* ivl report: a run as one self-contained HTML page. */
#include <stdlib.h>

#include "cli/cli.h"
#include "runtime/file.h"
#include "train/report.h"

enum { MAX_RUNS = 16 };

typedef struct options { const char *run[MAX_RUNS], *out; int n; } options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'o': o->out = arg; break;
    case ARGP_KEY_ARG:
        if (o->n == MAX_RUNS) cli_usage(state, "more than %d runs", MAX_RUNS);
        o->run[o->n++] = arg;
        break;
    case ARGP_KEY_END:
        if (!o->n) cli_usage(state, "which run? Give the --out folder of ivl train");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option rows[] = {
    { "out", 'o', "F.html", 0, "Where the page goes (report.html in the last run)", 0 }, { 0 }
};
static const struct argp argp = {
    rows,
    parse,
    "RUN...",
    "Writes the report of runs, of the three stages say: facts, curves, tables of what ivl eval found "
    "(RUN/eval/*.json), and pictures with searches, captions, questions and answers (search.json, captions.json, "
    "conversation.json in RUN, the --examples of ivl eval).",
    NULL,
    NULL,
    NULL,
};

int cmd_report(int argc, char **argv)
{
    options o = { 0 };
    cli_parse(&argp, argc, argv, &o);
    char *path = ivl_path_join(o.run[o.n - 1], "report.html");
    ivl_status s = path ? ivl_report_write(o.run, o.n, o.out ? o.out : path)
                        : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) printf("%s\n", o.out ? o.out : path);
    free(path);
    return s == IVL_OK ? cli_done() : cli_failed();
}
