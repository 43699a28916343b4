/* One configuration schema: a table of rows (key, type, default, help, range) describes a struct, and serves
 * YAML files, `--set key=value`, the environment, the printed record of a run, and the help text.
 *
 * Keys are dotted words; nested YAML maps are flattened ("optim: {lr: 1}" is "optim.lr"). Whoever sets a key
 * last wins, but one file may set a key only once. Every message says where ("conf/a.yaml:3", "--set",
 * "IVL_STEPS"). */
#ifndef IVL_RUNTIME_CONF_H
#define IVL_RUNTIME_CONF_H

#include <stdio.h>

#include <ivl/backend.h>

typedef enum ivl_conf_type {
    IVL_CONF_INT,    /* int64_t */
    IVL_CONF_DOUBLE, /* double, finite */
    IVL_CONF_BOOL,   /* bool: true, false */
    IVL_CONF_STRING, /* char *, owned, never NULL */
    IVL_CONF_ENUM,   /* char *, owned: one of the words in `choices` */
    IVL_CONF_LIST    /* ivl_conf_list, owned: strings */
} ivl_conf_type;

typedef struct ivl_conf_list { char **item; int n; } ivl_conf_list;

typedef struct ivl_conf_row {
    const char   *key;
    ivl_conf_type type;
    size_t        off;     /* of the field in the struct */
    const char   *def;     /* default, as --set would take it; never NULL */
    const char   *help;    /* one line */
    double        lo, hi;  /* range of a number, both ends allowed; lo == hi: none */
    const char   *choices; /* of an ENUM: "a b c"; a LIST with choices takes only these */
} ivl_conf_row;

/* Fills *base, whose content is taken for garbage. After a failure there is nothing to free. */
ivl_status ivl_conf_defaults(const ivl_conf_row *rows, int n, void *base);
/* Frees what the struct owns and zeroes those fields; accepts a zeroed struct. */
void       ivl_conf_free(const ivl_conf_row *rows, int n, void *base);

/* Each sets fields of a filled struct. After a failure some may be set; the struct is still valid. */
ivl_status ivl_conf_yaml(const ivl_conf_row *rows, int n, void *base, const char *path);
ivl_status ivl_conf_yaml_text(const ivl_conf_row *rows, int n, void *base, const char *text, size_t bytes,
                              const char *name);
/* "key=value"; a list is separated by commas. origin: "--set" */
ivl_status ivl_conf_set(const ivl_conf_row *rows, int n, void *base, const char *assignment,
                        const char *origin);
/* The variable of "optim.lr" is PREFIX_OPTIM_LR; empty variables count as unset. */
ivl_status ivl_conf_env(const ivl_conf_row *rows, int n, void *base, const char *prefix);

/* The effective values as YAML that reads back to equal bits. with_help: the help as comments. */
ivl_status ivl_conf_print(const ivl_conf_row *rows, int n, const void *base, bool with_help, FILE *f);
/* The same in memory; *text_p is freed by the caller. */
ivl_status ivl_conf_text(const ivl_conf_row *rows, int n, const void *base, char **text_p);
/* Key, kind, default, range and help of every row, for people; ferror tells whether it was written. */
void ivl_conf_help(const ivl_conf_row *rows, int n, FILE *f);

/* --- between conf.c and yaml.c ------------------------------------------------------------------------- */

/* Index of the row, or a message with the nearest key. */
ivl_status ivl_conf_find(const ivl_conf_row *rows, int n, const char *key, const char *where, int *row_p);
/* A value as it was written. quoted: it was a string in quotes, so no number. */
typedef struct ivl_conf_value { char **item; int n; bool is_list, quoted; } ivl_conf_value;
ivl_status ivl_conf_assign(const ivl_conf_row *row, void *base, const ivl_conf_value *v, const char *where);

#endif
