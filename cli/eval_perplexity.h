/* ivl eval perplexity: a part of `ivl eval`. */
#ifndef IVL_CLI_EVAL_PERPLEXITY_H
#define IVL_CLI_EVAL_PERPLEXITY_H

int cli_eval_perplexity(int argc, char **argv);

#endif
