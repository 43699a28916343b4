#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- choosing a command ------------------------------------------------------------------------------ */

/* Single-character edits from a to b; b of at most 31 characters counts. */
static int distance(const char *a, const char *b)
{
    int row[32], n = (int)strlen(b);
    if (n > 31) return 99;
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            int d = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < d) d = row[j] + 1;
            if (row[j - 1] + 1 < d) d = row[j - 1] + 1;
            row[j] = d;
        }
    }
    return row[n];
}

static const char *nearest(const cli_command *table, const char *word)
{
    const char *best = NULL;
    int least = 3;
    for (; table->name; table++) {
        int d = strncmp(table->name, word, strlen(word)) ? distance(word, table->name) : 1;
        if (d < least) least = d, best = table->name;
    }
    return best;
}

static void print_help(const cli_command *table, const char *prefix, const char *about, FILE *f)
{
    fprintf(f, "Usage: %s COMMAND [OPTION...]\n%s\n\n", prefix, about);
    for (; table->name; table++) fprintf(f, "  %-12s %s\n", table->name, table->help);
    fprintf(f, "\n`%s COMMAND --help` tells more about one. Exit status: 0 done, 1 failed, 2 wrong usage.\n",
            prefix);
}

static int unknown(const cli_command *table, const char *prefix, const char *word)
{
    const char *near = nearest(table, word);
    if (near)
        cli_error("unknown command '%s': did you mean '%s %s'?", word, prefix, near);
    else
        cli_error("unknown command '%s': `%s --help` lists them", word, prefix);
    return CLI_USAGE;
}

int cli_dispatch(const cli_command *table, const char *prefix, const char *about, int argc, char **argv)
{
    if (argc < 2) {
        print_help(table, prefix, about, stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        print_help(table, prefix, about, stdout);
        return cli_done();
    }
    if (!strcmp(word, "--version")) {
        printf("ivl (libivl) %s\n", ivl_version());
        return cli_done();
    }
    for (const cli_command *c = table; c->name; c++) {
        if (strcmp(c->name, word)) continue;
        char name[64];
        snprintf(name, sizeof name, "%s %s", prefix, word);
        argv[1] = name;
        return c->run(argc - 1, argv + 1);
    }
    return unknown(table, prefix, word);
}

/* --- devices ----------------------------------------------------------------------------------------- */

static error_t device_option(int key, char *arg, struct argp_state *state)
{
    if (key != 'd') return ARGP_ERR_UNKNOWN;
    *(const char **)state->input = arg;
    return 0;
}

static const struct argp_option device_options[] = {
    { "device", 'd', "DEVICE", 0,
      "Compute on host, opencl[:P.D], cuda[:N], or check:DEVICE; see `ivl devices` "
      "(default: the best GPU, else PoCL)",
      0 },
    { 0 },
};
const struct argp cli_device_argp = { device_options, device_option, NULL, NULL, NULL, NULL, NULL };

ivl_status cli_open_device(const char *spec, ivl_device **dev_p)
{
    IVL_TRY(ivl_device_open(spec, dev_p));
    fprintf(stderr, "device: %s, %s\n", (*dev_p)->spec, ivl_device_name(*dev_p));
    return IVL_OK;
}

/* --- messages ---------------------------------------------------------------------------------------- */

void cli_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fflush(stdout);
    fputs("ivl: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

int cli_failed(void)
{
    cli_error("%s", ivl_last_error());
    return CLI_FAILED;
}

int cli_done(void)
{
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout)) return CLI_OK;
    cli_error("stdout: cannot write: %s", strerror(errno ? errno : EIO));
    return CLI_FAILED;
}

const char *cli_bytes(double bytes, char text[16])
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    int u = 0;
    while (bytes >= 1024 && u < 4) bytes /= 1024, u++;
    snprintf(text, 16, u && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return text;
}
