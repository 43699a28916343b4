/* A configuration for people and for the record of a run. */
#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/conf.h"

static const void *field(const ivl_conf_row *row, const void *base) { return (const char *)base + row->off; }

/* The fewest digits that read back to the same double. */
static void double_text(double x, char *text, size_t n)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, n, "%.*g", digits, x);
        if (strtod(text, NULL) == x) return;
    }
}

/* True for characters that YAML forbids, or takes for a line break, even in quotes; *n_p is their length. */
static bool needs_escape(const unsigned char *c, unsigned *code_p, int *n_p)
{
    *code_p = *c, *n_p = 1;
    if (*c < 0x20 || *c == 0x7f) return true;
    if (*c == 0xc2) *code_p = c[1], *n_p = 2;
    if ((*c & 0xf0) == 0xe0) *code_p = (*c & 15u) << 12 | (c[1] & 63u) << 6 | (c[2] & 63u), *n_p = 3;
    unsigned code = *code_p;
    return (*n_p == 2 && code < 0xa0) ||
           (*n_p == 3 && (code == 0x2028 || code == 0x2029 || code == 0xfeff || code >= 0xfffe));
}

/* Bare where YAML and we agree on what it means, else in double quotes. */
static void print_string(const char *s, FILE *f)
{
    bool bare = (isalnum((unsigned char)*s) || *s == '/' || *s == '_') && strcmp(s, "null");
    for (const char *c = s; *c && bare; c++) bare = isalnum((unsigned char)*c) || strchr("_./+-", *c);
    if (bare) {
        fputs(s, f);
        return;
    }
    fputc('"', f);
    for (const unsigned char *c = (const unsigned char *)s; *c;) {
        unsigned code;
        int n;
        if (needs_escape(c, &code, &n)) {
            fprintf(f, "\\u%04X", code);
            c += n;
            continue;
        }
        if (*c == '"' || *c == '\\') fputc('\\', f);
        fputc(*c++, f);
    }
    fputc('"', f);
}

static void print_value(const ivl_conf_row *row, const void *base, FILE *f)
{
    const void *p = field(row, base);
    char text[40];
    switch (row->type) {
    case IVL_CONF_INT: fprintf(f, "%lld", (long long)*(const int64_t *)p); break;
    case IVL_CONF_DOUBLE:
        double_text(*(const double *)p, text, sizeof text);
        fputs(text, f);
        break;
    case IVL_CONF_BOOL: fputs(*(const bool *)p ? "true" : "false", f); break;
    case IVL_CONF_STRING:
    case IVL_CONF_ENUM: print_string(*(char *const *)p, f); break;
    case IVL_CONF_LIST: {
        const ivl_conf_list *l = p;
        fputc('[', f);
        for (int i = 0; i < l->n; i++) {
            if (i) fputs(", ", f);
            print_string(l->item[i], f);
        }
        fputc(']', f);
    }
    }
}

static void print_all(const ivl_conf_row *rows, int n, const void *base, bool with_help, FILE *f)
{
    for (int i = 0; i < n; i++) {
        if (with_help) fprintf(f, "# %s\n", rows[i].help);
        fprintf(f, "%s: ", rows[i].key);
        print_value(&rows[i], base, f);
        fputc('\n', f);
    }
}

/* Numbers have a point whatever the locale of the program is. */
ivl_status ivl_conf_print(const ivl_conf_row *rows, int n, const void *base, bool with_help, FILE *f)
{
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    IVL_CHECK(c, IVL_ENOMEM, "out of memory");
    locale_t before = uselocale(c);
    print_all(rows, n, base, with_help, f);
    uselocale(before);
    freelocale(c);
    IVL_CHECK(!ferror(f), IVL_EIO, "the configuration could not be written");
    return IVL_OK;
}

ivl_status ivl_conf_text(const ivl_conf_row *rows, int n, const void *base, char **text_p)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    IVL_CHECK(f, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_conf_print(rows, n, base, false, f);
    if (fclose(f) && s == IVL_OK) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s != IVL_OK) {
        free(text);
        return s;
    }
    *text_p = text;
    return IVL_OK;
}

/* "integer, 1 to 1e+09", "one of: uniform linear" */
static void kind_text(const ivl_conf_row *row, char *text, size_t n)
{
    static const char *const kind[] = { "integer", "number", "true or false", "text", "one of:", "list" };
    if (row->choices)
        snprintf(text, n, "%s %s", row->type == IVL_CONF_LIST ? "list of:" : "one of:", row->choices);
    else if (row->lo != row->hi) snprintf(text, n, "%s, %g to %g", kind[row->type], row->lo, row->hi);
    else snprintf(text, n, "%s", kind[row->type]);
}

void ivl_conf_help(const ivl_conf_row *rows, int n, FILE *f)
{
    for (int i = 0; i < n; i++) {
        char kind[512];
        kind_text(&rows[i], kind, sizeof kind);
        fprintf(f, "  %s: %s\n      %s; default: %s\n", rows[i].key, rows[i].help, kind,
                *rows[i].def ? rows[i].def : "empty");
    }
}
