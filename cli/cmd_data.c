/* ivl data emoji|check: making and checking training data. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "data/emoji/emoji.h"
#include "data/record.h"

/* --- emoji --------------------------------------------------------------------------------------------- */

static const struct argp_option emoji_rows[] = {
    { "out", 'o', "DIR", 0, "Where the shards go", 0 },
    { "languages", 'l', "LIST", 0,
      "Trained languages, comma separated; all: each that names nearly every picture "
      "(default: " IVL_EMOJI_LANGUAGES ")",
      0 },
    { "held-out", 'H', "LIST", 0,
      "Languages that are never trained, comma separated (default: " IVL_EMOJI_HELD_OUT ")", 0 },
    { "font", 'f', "FILE", 0, "Colour bitmap font (default: " IVL_EMOJI_FONT ")", 0 },
    { "cldr", 'c', "DIR", 0, "CLDR's folder common (default: " IVL_EMOJI_CLDR ")", 0 },
    { "seed", 's', "N", 0, "Decides which concepts and names are held out (default: 1)", 0 },
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

static void print_part(const char *files, const ivl_emoji_part *p, const char *what)
{
    char size[16];
    printf("  %-20s %5lld pictures, %6lld captions, %8s: %s\n", files, (long long)p->records,
           (long long)p->captions, cli_bytes((double)p->bytes, size), what);
}

static int emoji(int argc, char **argv)
{
    static const struct argp argp = {
        emoji_rows, emoji_parse, NULL,
        "Makes training data of Debian's Noto Color Emoji font and of the names in Unicode's CLDR: "
        "WebDataset shards, three held-out sets, a corpus for `ivl tokenizer train`, and splits.json, which "
        "tells what is where.\v"
        "Held out are one concept in ten (with all its skin tones, genders and directions), for a third of "
        "the training pictures a third of their names, and some languages. The same options give the same "
        "bytes.",
        NULL, NULL, NULL,
    };
    ivl_emoji_options o = { .seed = 1 };
    ivl_emoji_report r;
    cli_parse(&argp, argc, argv, &o);
    if (ivl_emoji_build(&o, &r) != IVL_OK) return cli_failed();
    char train[32];
    snprintf(train, sizeof train, "train-{000..%03d}.tar", r.shards - 1);
    printf("%s: %d pictures of %d concepts, %d of them held out; %d languages and %d held out\n", o.out,
           r.pictures, r.concepts, r.held_out_concepts, r.languages, r.held_out_languages);
    print_part(train, &r.part[0], "to train on");
    print_part("val_captions.tar", &r.part[1], "seen pictures, names never shown with them");
    print_part("val_concepts.tar", &r.part[2], "pictures of unseen concepts");
    print_part("val_languages.tar", &r.part[3], "seen pictures, unseen languages");
    return cli_done();
}

/* --- check --------------------------------------------------------------------------------------------- */

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

enum { FIRST = 400 }; /* bytes of the first message that are told again */

static bool bad_record(void *user, int64_t record, const char *message)
{
    char *first = user;
    (void)record;
    if (!*first) snprintf(first, FIRST, "%s", message);
    printf("%s\n", message);
    return true;
}

static int check(int argc, char **argv)
{
    static const struct argp argp = {
        NULL, check_parse, "DATA",
        "Reads and decodes every record, and names the bad ones by file and key.\v"
        "DATA is one of, or several joined by '::': shards (SHARD.tar, {000..012}.tar) in img2dataset's "
        "layout; a folder of pictures with NAME.txt beside them or captions.txt, captions.tsv, metadata.csv; "
        "a CSV or TSV with the columns path and caption; a picture. Exit status 1 if a record is bad.",
        NULL, NULL, NULL,
    };
    const char *spec = NULL;
    ivl_dataset *ds = NULL;
    int64_t bad = 0;
    char first[FIRST] = "";
    cli_parse(&argp, argc, argv, &spec);
    ivl_status s = ivl_dataset_open(spec, &ds);
    if (s == IVL_OK) s = ivl_dataset_check(ds, bad_record, first, &bad);
    if (s == IVL_OK) printf("%lld records, %lld bad\n", (long long)ivl_dataset_count(ds), (long long)bad);
    ivl_dataset_close(ds);
    if (s != IVL_OK) return cli_failed();
    int status = cli_done();
    if (status != CLI_OK || !bad) return status;
    cli_error("%lld bad, the first: %s", (long long)bad, first);
    return CLI_FAILED;
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
