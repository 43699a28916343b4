/* Where the records of a JSON array or of JSON lines lie, without parsing them: a file of a million records is read one
 * record at a time. */
#ifndef IVL_DATA_JSON_SPANS_H
#define IVL_DATA_JSON_SPANS_H

#include <ivl/backend.h>

typedef struct ivl_span { int64_t off, bytes, line; } ivl_span; /* line: of its first byte, from 1 */

typedef struct ivl_spans { ivl_span *v; int64_t n, room; } ivl_spans;

/* A text whose first character is "[" is one array; else every line that is not blank is a record. What lies in a span
 * is looked at by whoever parses it. `name` is for messages. s is the caller's to free on failure too. */
ivl_status ivl_spans_find(const char *text, size_t n, const char *name, ivl_spans *s);
void       ivl_spans_free(ivl_spans *s);

#endif
