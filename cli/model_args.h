/* Options that every command with a model takes: --model, --device, --compute, --batch, --image-size, --mode. */
#ifndef IVL_CLI_MODEL_ARGS_H
#define IVL_CLI_MODEL_ARGS_H

#include "cli/cli.h"

typedef struct cli_model {
    const char *dir, *device;
    ivl_embedder_options options;
    bool optional; /* set before parsing: it may do without --model */
} cli_model;

/* For `children` of a command's argp; its input is a cli_model. */
extern const struct argp cli_model_argp;
#define CLI_MODEL_CHILD { &cli_model_argp, 0, NULL, 0 }

/* Opens both and says on stderr which device it is. */
ivl_status cli_open_model(const cli_model *m, ivl_device **dev_p, ivl_embedder **e_p);
/* A whole number above 0, or the end of the program with status 2. */
int cli_positive(struct argp_state *state, const char *arg, const char *what);
/* A number from lo to hi, or the same end. */
double cli_number(struct argp_state *state, const char *arg, const char *what, double lo, double hi);
/* fp32, bf16 or fp16, or the same end. */
ivl_dtype cli_storage(struct argp_state *state, const char *arg, const char *what);
/* F.names beside an index F.npy; freed by the caller, NULL when out of memory. */
char *cli_names_path(const char *npy);
/* An ivl_eval progress callback over a cli_progress (ctx). */
void cli_eval_progress(void *ctx, const char *what, int64_t done, int64_t total);

#endif
