#include "cli/decode_args.h"

enum { MAX_NEW = 2000, MIN_NEW, PENALTY, REPEAT, NGRAM, TEMPERATURE, TOP_P, SEED };
static const struct argp_option rows[] = {
    { "beams", 'B', "N", 0, "Beam search with so many beams (1: the likeliest token each time)", 0 },
    { "max-new", MAX_NEW, "N", 0, "Tokens at most", 0 },
    { "min-new", MIN_NEW, "N", 0, "Tokens at least (0)", 0 },
    { "length-penalty", PENALTY, "X", 0, "Beams: above 1 prefers longer texts (1)", 0 },
    { "repetition-penalty", REPEAT, "X", 0, "Above 1: tokens that were there get less likely (1)", 0 },
    { "no-repeat-ngram", NGRAM, "N", 0, "No N tokens occur twice (0: off)", 0 },
    { "temperature", TEMPERATURE, "X", 0, "Above 0: sample instead of the likeliest token", 0 },
    { "top-p", TOP_P, "X", 0, "Sample from the likeliest tokens that make up so much (1)", 0 },
    { "seed", SEED, "N", 0, "Of sampling (0)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ivl_decode_options *d = state->input;
    switch (key) {
    case 'B': d->beams = (int)cli_number(state, arg, "--beams", 1, 64); break;
    case MAX_NEW: d->max_new = (int)cli_number(state, arg, "--max-new", 1, 65536); break;
    case MIN_NEW: d->min_new = (int)cli_number(state, arg, "--min-new", 0, 65536); break;
    case PENALTY: d->length_penalty = cli_number(state, arg, "--length-penalty", -10, 10); break;
    case REPEAT: d->repetition_penalty = cli_number(state, arg, "--repetition-penalty", 0.1, 10); break;
    case NGRAM: d->no_repeat_ngram = (int)cli_number(state, arg, "--no-repeat-ngram", 0, 100); break;
    case TEMPERATURE: d->temperature = cli_number(state, arg, "--temperature", 0, 100); break;
    case TOP_P: d->top_p = cli_number(state, arg, "--top-p", 1e-6, 1); break;
    case SEED: d->seed = (uint64_t)cli_number(state, arg, "--seed", 0, 9e15); break;
    case ARGP_KEY_END:
        if (d->beams > 1 && d->temperature > 0) cli_usage(state, "--temperature samples: it goes without --beams");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

const struct argp cli_decode_argp = { rows, parse, NULL, NULL, NULL, NULL, NULL };
