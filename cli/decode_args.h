/* Options of every command that writes text: --beams, --max-new, --min-new, --temperature, ... */
#ifndef IVL_CLI_DECODE_ARGS_H
#define IVL_CLI_DECODE_ARGS_H

#include "cli/model_args.h"
#include "train/decode.h"

/* For `children` of a command's argp; its input is an ivl_decode_options, already filled with defaults. */
extern const struct argp cli_decode_argp;
#define CLI_DECODE_CHILD { &cli_decode_argp, 0, "Writing:", 1 }

#endif
