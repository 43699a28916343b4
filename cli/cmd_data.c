/* ivl data emoji|check: making and checking training data. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "data/emoji.h"
#include "data/record.h"

/* --- emoji --------------------------------------------------------------------------------------------------------------- */

static const struct argp_option emoji_rows[] = {
    { "out", 'o', "DIR", 0, "Where the shards go", 0 },
    { "languages", 'l', "LIST", 0, "Trained languages, comma separated (every one with 3,000 names)", 0 },
    { "held-out", 'H', "LIST", 0, "Languages that are never trained (nl,bg,mr,ur,yue)", 0 },
    { "font", 'f', "FILE", 0, "Colour emoji font (" IVL_EMOJI_FONT ")", 0 },
    { "cldr", 'c', "DIR", 0, "CLDR's common folder (" IVL_EMOJI_CLDR ")", 0 },
    { "seed", 's', "N", 0, "Which concepts and names are held out (1)", 0 },
    { 0 },
};

static error_t emoji_parse(int key, char *arg, struct argp_state *state)
{
    ivl_emoji_options *o = state->input;
    switch (key) {
    case 'o': o->out = arg; break;
    case 'l': o->languages = arg; break;
    case 'H': o->held_out = arg; break;
    case 'f': o->font = arg; break;
    case 'c': o->cldr = arg; break;
    case 's': o->seed = (uint64_t)cli_positive(state, arg, "--seed"); break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (!o->out) cli_usage(state, "where to? Give --out DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void progress(void *ctx, int64_t done, int64_t total) { cli_eval_progress(ctx, "emoji", done, total); }

static int emoji(int argc, char **argv)
{
    static const struct argp argp = {
        emoji_rows, emoji_parse, NULL,
        "Builds WebDataset shards from Debian's Noto Color Emoji font and CLDR names: training pictures, and three held-out "
        "sets (withheld names, unseen concepts, unseen languages).",
        NULL, NULL, NULL,
    };
    cli_progress p = { 0 };
    ivl_emoji_options o = { .seed = 1, .progress = progress, .ctx = &p };
    ivl_emoji_counts c;
    cli_parse(&argp, argc, argv, &o);
    if (ivl_emoji_build(&o, &c) != IVL_OK) return cli_failed();
    printf("%s: %d pictures of %d concepts (%d held out), %d for training with %d names in %d languages, %d names withheld\n",
           o.out, c.pictures, c.concepts, c.held_concepts, c.train, c.names, c.languages, c.withheld);
    return cli_done();
}

/* --- check --------------------------------------------------------------------------------------------------------------- */

static error_t check_parse(int key, char *arg, struct argp_state *state)
{
    const char **spec = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*spec) cli_usage(state, "one data set at a time: join several with ::");
        *spec = arg;
        break;
    case ARGP_KEY_END:
        if (!*spec) cli_usage(state, "which data?");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static bool bad_record(void *user, int64_t record, const char *message)
{
    (void)user, (void)record;
    printf("%s\n", message);
    return true;
}

static int check(int argc, char **argv)
{
    static const struct argp argp = {
        NULL, check_parse, "DATA",
        "Reads and decodes every record, and names the bad ones by file and key.\v"
        "DATA is one of, or several joined by '::': shards (SHARD.tar, {000..012}.tar) in img2dataset's layout; a folder of "
        "pictures with NAME.txt beside them or captions.txt, captions.tsv, metadata.csv; a CSV or TSV with the columns path "
        "and caption; a picture. Exit status 1 if a record is bad.",
        NULL, NULL, NULL,
    };
    const char *spec = NULL;
    ivl_dataset *ds = NULL;
    int64_t bad = 0;
    cli_parse(&argp, argc, argv, &spec);
    ivl_status s = ivl_dataset_open(spec, &ds);
    if (s == IVL_OK) s = ivl_dataset_check(ds, bad_record, NULL, &bad);
    if (s == IVL_OK) printf("%lld records, %lld bad\n", (long long)ivl_dataset_count(ds), (long long)bad);
    ivl_dataset_close(ds);
    if (s != IVL_OK) return cli_failed();
    int status = cli_done();
    return status == CLI_OK && bad ? CLI_FAILED : status;
}

int cmd_data(int argc, char **argv)
{
    static const cli_command commands[] = {
        { "emoji", "shards from Debian's emoji font and CLDR names", emoji },
        { "check", "read every record and name the bad ones", check },
        { 0 },
    };
    return cli_dispatch(commands, "ivl data", "Makes and checks training data.", argc, argv);
}
