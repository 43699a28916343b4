/* Options are looked at before argp sees them: getopt would complain under its own name and in two lines. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct found { const struct argp_option *exact, *prefix; int n_prefix; } found;

static const struct argp_option own[] = { { "help", '?', NULL, 0, NULL, 0 }, { "usage", 1, NULL, 0, NULL, 0 }, { 0 } };

static void find_in(const struct argp_option *o, const char *name, size_t n, int key, found *f)
{
    for (; o && (o->name || o->key || o->doc); o++) {
        if (key && o->key == key) f->exact = o;
        if (key || !o->name || strncmp(o->name, name, n)) continue;
        if (!o->name[n]) f->exact = o;
        else f->prefix = o, f->n_prefix++;
    }
}

/* By name (the first n characters of it) or, with key, by letter. */
static void find(const struct argp *a, const char *name, size_t n, int key, found *f)
{
    find_in(a->options, name, n, key, f);
    for (const struct argp_child *c = a->children; c && c->argp; c++) find(c->argp, name, n, key, f);
}

static const struct argp_option *find_option(const struct argp *a, const char *name, size_t n, int key)
{
    found f = { 0 };
    find(a, name, n, key, &f);
    find_in(own, name, n, key, &f);
    return f.exact ? f.exact : f.n_prefix == 1 ? f.prefix : NULL;
}

__attribute__((noreturn, format(printf, 2, 3))) static void refuse(const char *command, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cli_error("%s; see `%s --help`", text, command);
    exit(CLI_USAGE);
}

static bool takes_value(const struct argp_option *o) { return o->arg && !(o->flags & OPTION_ARG_OPTIONAL); }

/* "--name", "--name=value": returns whether the next word is its value. */
static bool check_long(const struct argp *a, const char *command, const char *word)
{
    size_t n = strcspn(word + 2, "=");
    const struct argp_option *o = find_option(a, word + 2, n, 0);
    if (!o) refuse(command, "unknown option '%.*s'", (int)n + 2, word);
    if (word[2 + n] && !o->arg) refuse(command, "--%s takes no value", o->name);
    return takes_value(o) && !word[2 + n];
}

/* "-x", "-xyz", "-xvalue". */
static bool check_short(const struct argp *a, const char *command, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        const struct argp_option *o = find_option(a, NULL, 0, (unsigned char)*c);
        if (!o) refuse(command, "unknown option '-%c'", *c);
        if (takes_value(o)) return !c[1];
    }
    return false;
}

static void check_options(const struct argp *a, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        const char *word = argv[i];
        if (word[0] != '-' || !word[1]) continue;
        bool value = word[1] == '-' ? check_long(a, argv[0], word) : check_short(a, argv[0], word);
        if (value && ++i == argc) refuse(argv[0], "%s takes a value", word);
    }
}

void cli_parse(const struct argp *a, int argc, char **argv, void *input)
{
    argp_err_exit_status = CLI_USAGE;
    check_options(a, argc, argv);
    if (argp_parse(a, argc, argv, 0, NULL, input)) exit(CLI_USAGE);
}

void cli_usage(const struct argp_state *state, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    refuse(state->name, "%s", text);
}
