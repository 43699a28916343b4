#include "runtime/conf.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 4096, SHOWN = 60 }; /* bytes of a value; of which a message shows */

static void *field(const ivl_conf_row *row, void *base) { return (char *)base + row->off; }

/* --- keys ---------------------------------------------------------------------------------------------- */

/* Single-character edits from a to b; b of at most 63 characters counts. */
static int distance(const char *a, const char *b)
{
    int line[64], n = (int)strlen(b);
    if (n > 63 || strlen(a) > 63) return 99;
    for (int j = 0; j <= n; j++) line[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = line[0];
        line[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            int d = diagonal + (a[i] != b[j - 1]);
            diagonal = line[j];
            if (line[j] + 1 < d) d = line[j] + 1;
            if (line[j - 1] + 1 < d) d = line[j - 1] + 1;
            line[j] = d;
        }
    }
    return line[n];
}

/* The key that was probably meant: also "lr" for "optim.lr". */
static const char *nearest(const ivl_conf_row *rows, int n, const char *key)
{
    const char *best = NULL;
    int least = (int)strlen(key) / 3 + 2;
    for (int i = 0; i < n; i++) {
        const char *dot = strrchr(rows[i].key, '.');
        int d = dot && !strcmp(dot + 1, key) ? 1 : distance(key, rows[i].key);
        if (d < least) least = d, best = rows[i].key;
    }
    return best;
}

ivl_status ivl_conf_find(const ivl_conf_row *rows, int n, const char *key, const char *where, int *row_p)
{
    size_t len = strlen(key);
    for (int i = 0; i < n; i++) {
        if (!strcmp(rows[i].key, key)) {
            *row_p = i;
            return IVL_OK;
        }
    }
    for (int i = 0; i < n; i++)
        IVL_CHECK(strncmp(rows[i].key, key, len) || rows[i].key[len] != '.', IVL_EINVAL,
                  "%s: '%.*s' holds further keys, like %s; it takes no value itself", where, SHOWN, key,
                  rows[i].key);
    const char *near = nearest(rows, n, key);
    IVL_CHECK(!near, IVL_EINVAL, "%s: unknown key '%.*s': did you mean '%s'?", where, SHOWN, key, near);
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "%s: unknown key '%.*s'", where, SHOWN, key);
}

/* --- values -------------------------------------------------------------------------------------------- */

static bool valid_utf8(const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int more = *s < 0x80 ? 0 : *s < 0xc2 ? -1 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf5 ? 3 : -1;
        unsigned first = s[0], second = more > 0 ? s[1] : 0;
        if (more < 0 || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
            (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
            return false;
        for (s++; more > 0; more--, s++)
            if ((*s & 0xc0) != 0x80) return false;
    }
    return true;
}

/* A number in C's form whatever the locale of the program is. */
static bool parse_double(const char *text, double *x_p)
{
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return false;
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c) return false;
    locale_t before = uselocale(c);
    char *end;
    *x_p = strtod(text, &end);
    uselocale(before);
    freelocale(c);
    return !*end && isfinite(*x_p);
}

static bool parse_int(const char *text, int64_t *x_p)
{
    if (!*text || text[strspn(text, "0123456789+-")]) return false;
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    *x_p = x;
    return !*end && !errno;
}

static ivl_status in_range(const ivl_conf_row *row, double x, const char *text, const char *where)
{
    IVL_CHECK(row->lo == row->hi || (x >= row->lo && x <= row->hi), IVL_EINVAL,
              "%s: %s: %s is out of range, %g to %g", where, row->key, text, row->lo, row->hi);
    return IVL_OK;
}

static ivl_status set_number(const ivl_conf_row *row, void *base, const char *text, bool quoted,
                             const char *where)
{
    int64_t i = 0;
    double x = 0;
    if (row->type == IVL_CONF_INT) {
        IVL_CHECK(!quoted && parse_int(text, &i), IVL_EINVAL, "%s: %s: %s%.*s%s is no integer", where,
                  row->key, quoted ? "\"" : "'", SHOWN, text, quoted ? "\"" : "'");
        IVL_TRY(in_range(row, (double)i, text, where));
        *(int64_t *)field(row, base) = i;
        return IVL_OK;
    }
    IVL_CHECK(!quoted && parse_double(text, &x), IVL_EINVAL, "%s: %s: %s%.*s%s is no finite number", where,
              row->key, quoted ? "\"" : "'", SHOWN, text, quoted ? "\"" : "'");
    IVL_TRY(in_range(row, x, text, where));
    *(double *)field(row, base) = x;
    return IVL_OK;
}

static ivl_status set_bool(const ivl_conf_row *row, void *base, const char *text, bool quoted,
                           const char *where)
{
    bool yes = !strcmp(text, "true"), no = !strcmp(text, "false");
    IVL_CHECK(!quoted && (yes || no), IVL_EINVAL, "%s: %s: '%.*s' is neither true nor false", where, row->key,
              SHOWN, text);
    *(bool *)field(row, base) = yes;
    return IVL_OK;
}

static ivl_status check_choice(const ivl_conf_row *row, const char *text, const char *where)
{
    size_t len = strlen(text);
    for (const char *c = row->choices; c && *c;) {
        size_t word = strcspn(c, " ");
        if (word == len && !memcmp(c, text, len)) return IVL_OK;
        c += word + (c[word] == ' ');
    }
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "%s: %s: '%.*s' is none of: %s", where, row->key, SHOWN,
                    text, row->choices ? row->choices : "");
}

static ivl_status set_string(const ivl_conf_row *row, void *base, const char *text, const char *where)
{
    if (row->type == IVL_CONF_ENUM) IVL_TRY(check_choice(row, text, where));
    char *copy = strdup(text);
    IVL_CHECK(copy, IVL_ENOMEM, "out of memory");
    char **to = field(row, base);
    free(*to);
    *to = copy;
    return IVL_OK;
}

static void free_list(ivl_conf_list *l)
{
    for (int i = 0; i < l->n; i++) free(l->item[i]);
    free(l->item);
    *l = (ivl_conf_list){ 0 };
}

static ivl_status set_list(const ivl_conf_row *row, void *base, const ivl_conf_value *v, const char *where)
{
    for (int i = 0; row->choices && i < v->n; i++) IVL_TRY(check_choice(row, v->item[i], where));
    ivl_conf_list l = { calloc((size_t)v->n + 1, sizeof(char *)), 0 };
    for (; l.item && l.n < v->n; l.n++)
        if (!(l.item[l.n] = strdup(v->item[l.n]))) break;
    if (!l.item || l.n < v->n) {
        free_list(&l);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    free_list(field(row, base));
    *(ivl_conf_list *)field(row, base) = l;
    return IVL_OK;
}

ivl_status ivl_conf_assign(const ivl_conf_row *row, void *base, const ivl_conf_value *v, const char *where)
{
    IVL_CHECK(v->is_list == (row->type == IVL_CONF_LIST), IVL_EINVAL,
              v->is_list ? "%s: %s: takes one value, not a list" : "%s: %s: takes a list, like [a, b]", where,
              row->key);
    for (int i = 0; i < v->n; i++) {
        IVL_CHECK(strlen(v->item[i]) <= VALUE_MAX, IVL_EINVAL, "%s: %s: a value of %zu bytes, %d at most",
                  where, row->key, strlen(v->item[i]), VALUE_MAX);
        IVL_CHECK(valid_utf8(v->item[i]), IVL_EINVAL, "%s: %s: the value is not valid UTF-8", where,
                  row->key);
    }
    switch (row->type) {
    case IVL_CONF_INT:
    case IVL_CONF_DOUBLE: return set_number(row, base, v->item[0], v->quoted, where);
    case IVL_CONF_BOOL: return set_bool(row, base, v->item[0], v->quoted, where);
    case IVL_CONF_STRING:
    case IVL_CONF_ENUM: return set_string(row, base, v->item[0], where);
    default: return set_list(row, base, v, where);
    }
}

/* Splits a list at its commas: items point into a copy, which the caller frees. */
static ivl_status split(const char *text, char **copy_p, char ***item_p, int *n_p)
{
    size_t commas = 0;
    for (const char *s = text; *s; s++) commas += *s == ',';
    char *copy = strdup(text), **item = calloc(commas + 1, sizeof *item);
    if (!copy || !item) {
        free(copy), free(item);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    int n = 0;
    char *rest = copy;
    for (char *word; *text && (word = strsep(&rest, ","));) {
        while (isspace((unsigned char)*word)) word++;
        for (char *end = word + strlen(word); end > word && isspace((unsigned char)end[-1]);) *--end = 0;
        item[n++] = word;
    }
    *copy_p = copy, *item_p = item, *n_p = n;
    return IVL_OK;
}

static ivl_status assign_text(const ivl_conf_row *row, void *base, const char *text, const char *where)
{
    if (row->type != IVL_CONF_LIST)
        return ivl_conf_assign(
            row, base, &(ivl_conf_value){ .item = (char *[]){ (char *)(uintptr_t)text }, .n = 1 }, where);
    char *copy = NULL;
    ivl_conf_value v = { .is_list = true };
    IVL_TRY(split(text, &copy, &v.item, &v.n));
    ivl_status s = ivl_conf_assign(row, base, &v, where);
    free(copy), free(v.item);
    return s;
}

/* --- sources ------------------------------------------------------------------------------------------- */

static void clear(const ivl_conf_row *row, void *base)
{
    if (row->type == IVL_CONF_STRING || row->type == IVL_CONF_ENUM) *(char **)field(row, base) = NULL;
    if (row->type == IVL_CONF_LIST) *(ivl_conf_list *)field(row, base) = (ivl_conf_list){ 0 };
}

ivl_status ivl_conf_defaults(const ivl_conf_row *rows, int n, void *base)
{
    for (int i = 0; i < n; i++) clear(&rows[i], base);
    for (int i = 0; i < n; i++) {
        ivl_status s = assign_text(&rows[i], base, rows[i].def, "default");
        if (s == IVL_OK) continue;
        ivl_conf_free(rows, n, base);
        return s;
    }
    return IVL_OK;
}

void ivl_conf_free(const ivl_conf_row *rows, int n, void *base)
{
    for (int i = 0; i < n; i++) {
        if (rows[i].type == IVL_CONF_STRING || rows[i].type == IVL_CONF_ENUM)
            free(*(char **)field(&rows[i], base));
        if (rows[i].type == IVL_CONF_LIST) free_list(field(&rows[i], base));
        clear(&rows[i], base);
    }
}

ivl_status ivl_conf_set(const ivl_conf_row *rows, int n, void *base, const char *assignment,
                        const char *origin)
{
    const char *equals = strchr(assignment, '=');
    IVL_CHECK(equals && equals > assignment, IVL_EINVAL, "%s '%.*s': the form is key=value", origin, SHOWN,
              assignment);
    char *key = strndup(assignment, (size_t)(equals - assignment));
    IVL_CHECK(key, IVL_ENOMEM, "out of memory");
    int row = 0;
    ivl_status s = ivl_conf_find(rows, n, key, origin, &row);
    if (s == IVL_OK) s = assign_text(&rows[row], base, equals + 1, origin);
    free(key);
    return s;
}

ivl_status ivl_conf_env(const ivl_conf_row *rows, int n, void *base, const char *prefix)
{
    for (int i = 0; i < n; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s_%s", prefix, rows[i].key);
        for (char *s = name; *s; s++) *s = *s == '.' || *s == '-' ? '_' : (char)toupper((unsigned char)*s);
        const char *value = getenv(name);
        if (value && *value) IVL_TRY(assign_text(&rows[i], base, value, name));
    }
    return IVL_OK;
}
