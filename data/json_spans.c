#include "data/json_spans.h"

#include <stdlib.h>
#include <string.h>

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* text[from, to) without white space at its ends; an empty one is a record too if `always`. */
static ivl_status add(ivl_spans *s, const char *text, size_t from, size_t to, int64_t line, bool always)
{
    for (; from < to && blank(text[from]); from++) line += text[from] == '\n';
    while (to > from && blank(text[to - 1])) to--;
    if (from == to && !always) return IVL_OK;
    if (s->n == s->room) {
        int64_t room = 2 * s->room + 64;
        ivl_span *more = realloc(s->v, (size_t)room * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory for %lld records", (long long)room);
        s->v = more, s->room = room;
    }
    s->v[s->n++] = (ivl_span){ (int64_t)from, (int64_t)(to - from), line };
    return IVL_OK;
}

static ivl_status find_lines(const char *text, size_t from, size_t n, ivl_spans *s)
{
    for (int64_t line = 1; from < n; line++) {
        const char *end = memchr(text + from, '\n', n - from);
        size_t to = end ? (size_t)(end - text) : n;
        IVL_TRY(add(s, text, from, to, line, false));
        from = to + 1;
    }
    return IVL_OK;
}

/* The end of the string whose quote stands at i. */
static size_t string_end(const char *text, size_t i, size_t n, int64_t *line)
{
    for (i++; i < n && text[i] != '"'; i++) {
        if (text[i] == '\\' && i + 1 < n) i++;
        if (text[i] == '\n') ++*line;
    }
    return i;
}

static ivl_status find_elements(const char *text, size_t open, size_t n, const char *name, ivl_spans *s)
{
    int64_t line = 1, first_line = 1, depth = 0;
    size_t first = open + 1, i = 0;
    for (; i < open; i++) line += text[i] == '\n';
    for (first_line = line; i < n; i++) {
        char c = text[i];
        if (c == '\n') line++;
        else if (c == '"') i = string_end(text, i, n, &line);
        else if (c == '[' || c == '{') depth++;
        bool ends = (c == ']' || c == '}') && --depth == 0;
        if (!ends && !(c == ',' && depth == 1)) continue;
        IVL_TRY(add(s, text, first, i, first_line, !ends || s->n));
        first = i + 1, first_line = line;
        if (ends) break;
    }
    IVL_CHECK(i < n, IVL_EFORMAT, "%s: the array is not closed; the file ends within record %lld", name,
              (long long)s->n + 1);
    for (i++; i < n; i++)
        IVL_CHECK(blank(text[i]), IVL_EFORMAT, "%s:%lld: text after the end of the array", name, (long long)line);
    return IVL_OK;
}

ivl_status ivl_spans_find(const char *text, size_t n, const char *name, ivl_spans *s)
{
    size_t from = n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0, i = from;
    while (i < n && blank(text[i])) i++;
    return i < n && text[i] == '[' ? find_elements(text, i, n, name, s) : find_lines(text, from, n, s);
}

void ivl_spans_free(ivl_spans *s)
{
    free(s->v);
    *s = (ivl_spans){ 0 };
}
