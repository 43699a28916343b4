/* Rows of a CSV or TSV file with a path, a caption, and perhaps a language and a group. */
#ifndef IVL_DATA_TABLE_H
#define IVL_DATA_TABLE_H

#include <ivl/backend.h>

enum { IVL_TABLE_PATH, IVL_TABLE_CAPTION, IVL_TABLE_LANG, IVL_TABLE_GROUP, IVL_TABLE_FIELDS };

typedef struct ivl_table {
    const char *name;
    char   *text, *at, *end; /* cells are cut out of text in place, so they live as long as the table */
    char    delim;
    int     column[IVL_TABLE_FIELDS]; /* -1: there is none */
    int64_t line;
} ivl_table;

/* `name` must outlive the table. A first line with known column names (path, file_name, image ...; caption,
 * text ...; lang ...; group, concept, image_id ...) orders the columns; without one they are path, caption,
 * lang, group. */
ivl_status ivl_table_open(const char *name, ivl_table *t_p);
/* The same on text[n] with a 0 after it, which the table then owns. */
ivl_status ivl_table_parse(const char *name, char *text, size_t n, ivl_table *t_p);
void       ivl_table_close(ivl_table *t);

/* The next row that is not empty: field[i] is NULL where the row has none; *more_p is false at the end. */
ivl_status ivl_table_next(ivl_table *t, char *field[IVL_TABLE_FIELDS], bool *more_p);

#endif
