/* ivl data emoji|clipart|scenes|check: making and checking training data. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "data/clipart/clipart.h"
#include "data/emoji/emoji.h"
#include "data/record.h"
#include "data/scenes/scenes.h"

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

/* --- clipart ------------------------------------------------------------------------------------------- */

static const struct argp_option clipart_rows[] = {
    { "out", 'o', "DIR", 0, "Where the shards go", 0 },
    { "size", 'z', "N", 0, "Longer side of a picture in pixels, at most (default: 224)", 0 },
    { "png", 'p', "DIR", 0, "Pictures (default: " IVL_CLIPART_PNG ")", 0 },
    { "svg", 'g', "DIR", 0, "Drawings with titles (default: " IVL_CLIPART_SVG ")", 0 },
    { "seed", 's', "N", 0, "Decides which titles are held out (default: 1)", 0 },
    { 0 },
};

static error_t clipart_parse(int key, char *arg, struct argp_state *state)
{
    ivl_clipart_options *o = state->input;
    switch (key) {
    case 'o': o->out = arg; break;
    case 'z': o->size = (int)cli_positive(state, arg, "--size"); break;
    case 'p': o->png = arg; break;
    case 'g': o->svg = arg; break;
    case 's': o->seed = (uint64_t)cli_positive(state, arg, "--seed"); break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    case ARGP_KEY_END:
        if (!o->out) cli_usage(state, "where to? Give --out DIR");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int clipart(int argc, char **argv)
{
    static const struct argp argp = {
        clipart_rows, clipart_parse, NULL,
        "Makes training data of Debian's clip art (openclipart-png, openclipart-svg): shards of titled pictures whose "
        "top folder is their class.\v"
        "A tenth of the titles is held out. Titles of whole collections, and pictures without a title, are left out. "
        "The same options give the same bytes.",
        NULL, NULL, NULL,
    };
    ivl_clipart_options o = { .size = 224, .seed = 1 };
    ivl_clipart_report r;
    char size[16];
    cli_parse(&argp, argc, argv, &o);
    if (ivl_clipart_build(&o, &r) != IVL_OK) return cli_failed();
    printf("%s: %d pictures, %d with a usable title, %d of those unreadable; %d classes\n", o.out, r.found, r.usable,
           r.unreadable, r.labels);
    printf("  train-{000..%03d}.tar %6lld pictures, %8s: to train on\n", r.shards - 1, (long long)r.records[0],
           cli_bytes((double)r.bytes[0], size));
    printf("  val.tar              %6lld pictures, %8s: titles never seen\n", (long long)r.records[1],
           cli_bytes((double)r.bytes[1], size));
    return cli_done();
}

/* --- scenes -------------------------------------------------------------------------------------------- */

static const struct argp_option scenes_rows[] = {
    { "out", 'o', "DIR", 0, "Where everything goes", 0 },
    { "pictures", 'n', "N", 0, "Scenes to train on (default: 10000)", 0 },
    { "val", 'v', "N", 0, "Scenes in each of the four validation parts (default: 500)", 0 },
    { "size", 'z', "N", 0, "Side of a picture in pixels (default: 112)", 0 },
    { "objects", 'k', "N", 0, "Use only N kinds of things (default: all that are known, about 250)", 0 },
    { "videos", 'm', "N", 0, "Make N short videos, and a tenth more to validate (default: 0)", 0 },
    { "frames", 'r', "N", 0, "Frames of a video (default: 8)", 0 },
    { "format", 't', "FORM", 0, "Pictures as jpg (quality 90) or png (default: jpg)", 0 },
    { "backgrounds", 'b', "LIST", 0,
      "Folders and pictures of backgrounds, joined by ':'; '' for plain ones only (default: what Debian's packages of "
      "wallpapers hold)",
      0 },
    { "clipart", 'a', "DIR", 0, "Further drawings of the same things, from openclipart-png", 0 },
    { "font", 'f', "FILE", 0, "Colour bitmap font (default: Debian's Noto Color Emoji)", 0 },
    { "cldr", 'c', "DIR", 0, "CLDR's folder 'common' (default: Debian's)", 0 },
    { "seed", 's', "N", 0, "Decides everything that is drawn, and what is held out (default: 1)", 0 },
    { 0 },
};

static error_t scenes_parse(int key, char *arg, struct argp_state *state)
{
    ivl_scenes_options *o = state->input;
    switch (key) {
    case 'o': o->out = arg; break;
    case 'n': o->pictures = cli_positive(state, arg, "--pictures"); break;
    case 'v': o->val = cli_positive(state, arg, "--val"); break;
    case 'z': o->size = (int)cli_positive(state, arg, "--size"); break;
    case 'k': o->objects = (int)cli_positive(state, arg, "--objects"); break;
    case 'm': o->videos = cli_positive(state, arg, "--videos"); break;
    case 'r': o->frames = cli_positive(state, arg, "--frames"); break;
    case 't':
        if (strcmp(arg, "jpg") && strcmp(arg, "png")) cli_usage(state, "--format is jpg or png, not '%s'", arg);
        o->png = !strcmp(arg, "png");
        break;
    case 'b': o->backgrounds = arg; break;
    case 'a': o->clipart = arg; break;
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

static void print_scenes(const ivl_scenes_options *o, const ivl_scenes_report *r)
{
    static const char *const what[] = { "to train on", "new scenes of what was trained", "things never seen",
                                        "known things at new places or in new numbers", "backgrounds never seen" };
    printf("%s: %d kinds of things in %d drawings, %d of them held out; %d backgrounds, %d of them held out\n", o->out,
           r->concepts, r->drawings, r->held_out_concepts, r->backgrounds, r->held_out_backgrounds);
    for (int p = 0; p < IVL_SCENES_PARTS; p++) {
        char files[48], size[16];
        if (p) snprintf(files, sizeof files, "%s.tar", ivl_scenes_part_name((ivl_scenes_part)p));
        else snprintf(files, sizeof files, "train-{000..%03d}.tar", r->shards - 1);
        printf("  %-20s %6lld scenes, %8s: %s\n", files, (long long)r->records[p],
               cli_bytes((double)r->bytes[p], size), what[p]);
    }
    printf("  %-20s %6lld questions in each of random, popular, adversarial\n", "pope_*.json",
           (long long)r->questions[0]);
    if (r->videos[0])
        printf("  %-20s %6lld to train on and %lld to validate\n", "videos_*.tar", (long long)r->videos[0],
               (long long)r->videos[1]);
}

static int scenes(int argc, char **argv)
{
    static const struct argp argp = {
        scenes_rows, scenes_parse, NULL,
        "Makes scenes: cut-outs of emoji on real backgrounds, with captions, conversations, yes/no questions in POPE's "
        "form, exact masks and, if asked for, short videos.\v"
        "Four validation parts hold what training never shows: other scenes, other things, other places and numbers, "
        "other backgrounds. docs/data.md describes the files. The same options, packages and backgrounds give the "
        "same bytes.",
        NULL, NULL, NULL,
    };
    ivl_scenes_options o = { .pictures = 10000, .val = 500, .size = 112, .frames = 8, .seed = 1 };
    ivl_scenes_report r;
    cli_parse(&argp, argc, argv, &o);
    if (ivl_scenes_build(&o, &r) != IVL_OK) return cli_failed();
    print_scenes(&o, &r);
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
        { "clipart", "shards from Debian's clip art", clipart },
        { "scenes", "scenes with captions, conversations, masks, videos", scenes },
        { "check", "read every record and name the bad ones", check },
        { 0 },
    };
    return cli_dispatch(commands, "ivl data", "Makes and checks training data.", argc, argv);
}
