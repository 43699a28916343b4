/* What the commands share. Exit status everywhere: 0 done, 1 the world failed, 2 wrong usage. Results go to
 * stdout, everything else to stderr. */
#ifndef IVL_CLI_CLI_H
#define IVL_CLI_CLI_H

#include <argp.h>

#include <ivl/backend.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef struct cli_command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} cli_command;

/* Runs the command that argv[1] names. The table ends with a NULL name; `prefix` ("ivl", "ivl data") leads
 * the usage text. Also serves --help, and --version at the top. */
int cli_dispatch(const cli_command *table, const char *prefix, const char *about, int argc, char **argv);

/* Parses argv with a; options that do not fit end the program with one line on stderr and status 2. */
void cli_parse(const struct argp *a, int argc, char **argv, void *input);
/* In a parser, on a bad value: one line with the message and where help is, ends with status 2. */
void cli_usage(const struct argp_state *state, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* --device, for `children` of a command's argp; its input is a `const char *`. */
extern const struct argp cli_device_argp;
#define CLI_DEVICE_CHILD                                                                                     \
    {                                                                                                        \
        &cli_device_argp, 0, NULL, 0                                                                         \
    }

/* Opens it (NULL: the best) and says on stderr which one it is. */
ivl_status cli_open_device(const char *spec, ivl_device **dev_p);

/* "ivl: message" on stderr. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints the thread's last error so; returns CLI_FAILED. */
int cli_failed(void);
/* Closes what was printed to stdout: CLI_FAILED if it could not be written (a full disk). */
int cli_done(void);

/* A line that is redrawn on stderr: "train  [####....] 412/2000  21 %  96.2/s  2:41 left  loss 3.2". Silent
 * when stderr is no terminal, unless IVL_PROGRESS=1. */
typedef struct cli_progress {
    const char *what;
    double total, begun, begun_at, drawn; /* units; seconds */
    bool on;
} cli_progress;
/* done: units finished before, by an earlier run. */
void cli_progress_begin(cli_progress *p, const char *what, double total, double done);
void cli_progress_step(cli_progress *p, double done, const char *note);
void cli_progress_end(cli_progress *p); /* leaves the line standing */

/* "3.4 GiB" */
const char *cli_bytes(double bytes, char text[16]);

#define COMMAND(name, help) int cmd_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND

#endif
