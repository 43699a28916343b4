/* What the commands below ivl eval share, and those that have files of their own. */
#ifndef IVL_CLI_EVAL_H
#define IVL_CLI_EVAL_H

#include "cli/model_args.h"
#include "train/eval.h"

/* --model and its companions, --data, --out, --languages: a child parser that sees that data and out are given. */
typedef struct cli_eval { cli_model model; const char *data, *out, *languages; } cli_eval;
extern const struct argp cli_eval_argp;
#define CLI_EVAL_CHILD { &cli_eval_argp, 0, NULL, 0 }

/* Options for evaluation with a progress line. */
ivl_eval_options cli_eval_options(const cli_eval *o, cli_progress *p);
/* Prints where the results are, or the error; the exit status. */
int cli_eval_ended(const char *out, ivl_status s);

int cli_eval_caption(int argc, char **argv);
int cli_eval_chat(int argc, char **argv);
int cli_eval_itm(int argc, char **argv);
int cli_eval_perplexity(int argc, char **argv);
int cli_eval_pope(int argc, char **argv);

#endif
