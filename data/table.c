#include "data/table.h"
#include "data/paths.h"
#include "runtime/file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_COLUMNS = 64 };
static const size_t max_bytes = (size_t)4 << 30;

void ivl_table_close(ivl_table *t)
{
    free(t->text);
    *t = (ivl_table){ 0 };
}

/* Cuts a quoted cell ("" is one quote) that begins at t->at; NULL if it never ends. t->at moves past it. */
static char *quoted(ivl_table *t)
{
    char *cell = t->at + 1, *to = cell;
    for (char *p = cell; p < t->end; p++) {
        if (*p == '\n') t->line++;
        if (*p == '"' && p[1] == '"') p++;
        else if (*p == '"') {
            t->at = p + 1;
            *to = 0;
            return cell;
        }
        *to++ = *p;
    }
    return NULL;
}

/* Cuts the row at t->at into cells; *n_p of them, those beyond MAX_COLUMNS dropped. */
static ivl_status cut_row(ivl_table *t, char *cell[MAX_COLUMNS], int *n_p)
{
    int n = 0;
    int64_t first = ++t->line;
    for (bool last = false; !last;) {
        char *c = t->at;
        if (t->delim == ',' && *c == '"') {
            c = quoted(t);
            IVL_CHECK(c, IVL_EFORMAT, "%s: line %lld: a quoted cell never ends", t->name, (long long)first);
        }
        char *stop = t->at; /* of a quoted cell: anything before the delimiter is dropped */
        while (stop < t->end && *stop != t->delim && *stop != '\n') stop++;
        last = stop >= t->end || *stop == '\n';
        if (last && stop > t->at && stop[-1] == '\r') stop[-1] = 0;
        *stop = 0;
        t->at = stop < t->end ? stop + 1 : t->end;
        if (n < MAX_COLUMNS) cell[n++] = c;
    }
    *n_p = n;
    return IVL_OK;
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (!strcasecmp(name, *list)) return true;
    return false;
}

static bool read_header(ivl_table *t, char **cell, int n)
{
    static const char *const words[IVL_TABLE_FIELDS][8] = {
        { "path", "file", "filename", "file_name", "filepath", "image", "image_path", NULL },
        { "caption", "captions", "text", "title", "description", NULL },
        { "lang", "language", "locale", NULL },
        { "group", "concept", "image_id", "class", NULL },
    };
    int column[IVL_TABLE_FIELDS] = { -1, -1, -1, -1 };
    for (int i = n - 1; i >= 0; i--)
        for (int f = 0; f < IVL_TABLE_FIELDS; f++)
            if (is_one_of(cell[i], words[f])) column[f] = i;
    if (column[IVL_TABLE_PATH] < 0) return false;
    memcpy(t->column, column, sizeof column);
    return true;
}

ivl_status ivl_table_parse(const char *name, char *text, size_t n, ivl_table *t_p)
{
    ivl_table t = { .name = name, .text = text, .at = text, .end = text + n, .column = { 0, 1, 2, 3 } };
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) t.at += 3;
    char *line = strchr(t.at, '\n'), *tab = strchr(t.at, '\t');
    bool tabs = tab && (!line || tab < line);
    t.delim = ivl_ends_with(name, ".csv") || (!ivl_ends_with(name, ".tsv") && !tabs) ? ',' : '\t';
    /* The first row may be names or data: look at a copy of it. */
    size_t first = line ? (size_t)(line - t.at) : (size_t)(t.end - t.at);
    ivl_table head = { .name = name, .text = strndup(t.at, first), .delim = t.delim };
    if (!head.text) {
        free(text);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", name);
    }
    head.at = head.text, head.end = head.text + strlen(head.text);
    char *cell[MAX_COLUMNS];
    int cells = 0;
    if (cut_row(&head, cell, &cells) == IVL_OK && read_header(&t, cell, cells)) {
        t.at = line ? line + 1 : t.end;
        t.line = 1;
    }
    ivl_table_close(&head);
    *t_p = t;
    return IVL_OK;
}

ivl_status ivl_table_open(const char *name, ivl_table *t_p)
{
    char *text = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(name, max_bytes, &text, &n));
    return ivl_table_parse(name, text, n, t_p);
}

ivl_status ivl_table_next(ivl_table *t, char *field[IVL_TABLE_FIELDS], bool *more_p)
{
    char *cell[MAX_COLUMNS];
    int n = 0;
    *more_p = false;
    while (t->at < t->end) {
        IVL_TRY(cut_row(t, cell, &n));
        if (n == 1 && !*cell[0]) continue;
        for (int f = 0; f < IVL_TABLE_FIELDS; f++) {
            int c = t->column[f];
            field[f] = c >= 0 && c < n && *cell[c] ? cell[c] : NULL;
        }
        *more_p = true;
        return IVL_OK;
    }
    return IVL_OK;
}
