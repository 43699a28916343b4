/* Options that `ivl probe` and `ivl seg` share. */
#ifndef IVL_CLI_HEAD_ARGS_H
#define IVL_CLI_HEAD_ARGS_H

#include "cli/model_args.h"
#include "train/probe.h"

typedef struct cli_head { cli_model model; ivl_probe_options probe; } cli_head;

/* For `children` of a command's argp; its input is a cli_head. */
extern const struct argp cli_head_argp;
#define CLI_HEAD_CHILD { &cli_head_argp, 0, NULL, 0 }

/* Sets what both have in common, parses, opens the device and starts the progress line. */
ivl_status cli_head_open(cli_head *h, cli_progress *p, ivl_device **dev_p);

#endif
