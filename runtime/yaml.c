/* YAML into a configuration: libyaml's events, nested maps flattened to dotted keys. Of YAML's tricks none is
 * taken: no anchors and aliases (so no alias bombs), no tags, one document. Sizes and depth are bounded
 * before anything is kept. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "runtime/conf.h"
#include "runtime/file.h"

enum { DEPTH_MAX = 8, KEY_MAX = 128, LIST_MAX = 1024, FILE_MAX = 1 << 20 };

typedef struct reader {
    yaml_parser_t       parser;
    const ivl_conf_row *rows;
    int                 n;
    void               *base;
    const char         *name, *text;
    size_t              bytes;
    int                *line; /* line[n]: where each key was set, 0: nowhere yet */
    char                key[KEY_MAX + 1];
    char                where[256];
} reader;

static void set_where(reader *r, size_t line0)
{
    snprintf(r->where, sizeof r->where, "%.200s:%zu", r->name, line0 + 1);
}

/* What libyaml found wrong. Of bad bytes it tells the offset only. */
static ivl_status syntax(reader *r)
{
    yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", r->name);
    size_t line = p->problem_mark.line;
    if (p->error == YAML_READER_ERROR) {
        line = 0;
        for (size_t i = 0; i < p->problem_offset && i < r->bytes; i++) line += r->text[i] == '\n';
    }
    set_where(r, line);
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: not valid YAML: %s%s%s", r->where,
                    p->problem ? p->problem : "unreadable", p->context ? " " : "",
                    p->context ? p->context : "");
}

/* The next event, with the position for messages; refuses what a configuration never needs. */
static ivl_status next(reader *r, yaml_event_t *e)
{
    if (!yaml_parser_parse(&r->parser, e)) return syntax(r);
    set_where(r, e->start_mark.line);
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT: anchor = e->data.alias.anchor; break;
    case YAML_SCALAR_EVENT: anchor = e->data.scalar.anchor, tag = e->data.scalar.tag; break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
        break;
    default: break;
    }
    const char *trick = anchor ? "anchors and aliases" : tag ? "tags" : NULL;
    if (!trick) return IVL_OK;
    yaml_event_delete(e);
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s are not taken here", r->where, trick);
}

/* A copy of the scalar; strings with a zero byte inside would be cut short silently. */
static ivl_status scalar(reader *r, const yaml_event_t *e, char **text_p, bool *quoted_p)
{
    const char *s = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    IVL_CHECK(strlen(s) == n, IVL_EFORMAT, "%s: %s%sa zero byte in the text", r->where, r->key,
              *r->key ? ": " : "");
    bool quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    bool null = !quoted && (!strcmp(s, "~") || !strcmp(s, "null"));
    char *copy = strdup(null ? "" : s);
    IVL_CHECK(copy, IVL_ENOMEM, "out of memory");
    *text_p = copy, *quoted_p = quoted;
    return IVL_OK;
}

static ivl_status assign(reader *r, const ivl_conf_value *v)
{
    char where[sizeof r->where];
    memcpy(where, r->where, sizeof where);
    int row = 0;
    IVL_TRY(ivl_conf_find(r->rows, r->n, r->key, where, &row));
    IVL_CHECK(!r->line[row], IVL_EFORMAT, "%s: '%s' was set already in line %d", where, r->key, r->line[row]);
    IVL_TRY(ivl_conf_assign(&r->rows[row], r->base, v, where));
    r->line[row] = atoi(strrchr(where, ':') + 1);
    return IVL_OK;
}

static ivl_status add_item(reader *r, ivl_conf_value *v, const yaml_event_t *e)
{
    IVL_CHECK(e->type == YAML_SCALAR_EVENT, IVL_EFORMAT, "%s: %s: a list holds plain values only", r->where,
              r->key);
    IVL_CHECK(v->n < LIST_MAX, IVL_EFORMAT, "%s: %s: a list of more than %d values", r->where, r->key,
              LIST_MAX);
    bool quoted;
    IVL_TRY(scalar(r, e, &v->item[v->n], &quoted));
    v->n++;
    return IVL_OK;
}

static ivl_status read_list(reader *r)
{
    ivl_conf_value v = { .item = calloc(LIST_MAX, sizeof(char *)), .is_list = true };
    char begin[sizeof r->where];
    memcpy(begin, r->where, sizeof begin);
    ivl_status s = v.item ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (bool end = false; s == IVL_OK && !end;) {
        yaml_event_t e;
        if ((s = next(r, &e)) != IVL_OK) break;
        end = e.type == YAML_SEQUENCE_END_EVENT;
        if (!end) s = add_item(r, &v, &e);
        yaml_event_delete(&e);
    }
    memcpy(r->where, begin, sizeof begin);
    if (s == IVL_OK) s = assign(r, &v);
    for (int i = 0; i < v.n; i++) free(v.item[i]);
    free(v.item);
    return s;
}

static ivl_status read_map(reader *r, size_t key_len, int depth);

/* The value of r->key, whose event is e. */
static ivl_status read_value(reader *r, const yaml_event_t *e, int depth)
{
    if (e->type == YAML_SEQUENCE_START_EVENT) return read_list(r);
    if (e->type == YAML_MAPPING_START_EVENT) {
        IVL_CHECK(depth < DEPTH_MAX, IVL_EFORMAT, "%s: %s: nested deeper than %d levels", r->where, r->key,
                  DEPTH_MAX);
        return read_map(r, strlen(r->key), depth + 1);
    }
    char *text = NULL;
    ivl_conf_value v = { .item = &text, .n = 1 };
    IVL_TRY(scalar(r, e, &text, &v.quoted));
    ivl_status s = assign(r, &v);
    free(text);
    return s;
}

/* Appends the key of a map to r->key[key_len]. */
static ivl_status read_key(reader *r, const yaml_event_t *e, size_t key_len)
{
    IVL_CHECK(e->type == YAML_SCALAR_EVENT, IVL_EFORMAT, "%s: a key must be a plain word", r->where);
    char *word = NULL;
    bool quoted;
    IVL_TRY(scalar(r, e, &word, &quoted));
    size_t dot = key_len > 0, n = key_len + dot + strlen(word);
    if (n <= KEY_MAX) {
        r->key[key_len] = '.';
        memcpy(r->key + key_len + dot, word, strlen(word) + 1);
    }
    free(word);
    IVL_CHECK(n <= KEY_MAX, IVL_EFORMAT, "%s: a key of %zu bytes, %d at most", r->where, n, KEY_MAX);
    return IVL_OK;
}

static ivl_status read_map(reader *r, size_t key_len, int depth)
{
    for (;;) {
        yaml_event_t e;
        r->key[key_len] = 0;
        IVL_TRY(next(r, &e));
        bool end = e.type == YAML_MAPPING_END_EVENT;
        ivl_status s = end ? IVL_OK : read_key(r, &e, key_len);
        yaml_event_delete(&e);
        if (end || s != IVL_OK) return s;
        IVL_TRY(next(r, &e));
        s = read_value(r, &e, depth);
        yaml_event_delete(&e);
        IVL_TRY(s);
    }
}

/* The root of the document: a map, or nothing at all. */
static ivl_status read_root(reader *r, const yaml_event_t *e, bool *seen)
{
    switch (e->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: return IVL_OK;
    case YAML_DOCUMENT_START_EVENT:
        IVL_CHECK(!*seen, IVL_EFORMAT, "%s: a second document: one file holds one configuration", r->where);
        *seen = true;
        return IVL_OK;
    case YAML_MAPPING_START_EVENT: return read_map(r, 0, 1);
    case YAML_SCALAR_EVENT:
        if (!e->data.scalar.length) return IVL_OK;
        /* fall through */
    default:
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: lines of the form 'key: value' are expected",
                        r->where);
    }
}

ivl_status ivl_conf_yaml_text(const ivl_conf_row *rows, int n, void *base, const char *text, size_t bytes,
                              const char *name)
{
    reader r = { .rows = rows, .n = n, .base = base, .name = name, .text = text, .bytes = bytes };
    r.line = calloc((size_t)n + 1, sizeof *r.line);
    IVL_CHECK(r.line, IVL_ENOMEM, "out of memory");
    if (!yaml_parser_initialize(&r.parser)) {
        free(r.line);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", name);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, bytes);
    ivl_status s = IVL_OK;
    for (bool end = false, seen = false; s == IVL_OK && !end;) {
        yaml_event_t e;
        if ((s = next(&r, &e)) != IVL_OK) break;
        end = e.type == YAML_STREAM_END_EVENT;
        s = read_root(&r, &e, &seen);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&r.parser);
    free(r.line);
    return s;
}

ivl_status ivl_conf_yaml(const ivl_conf_row *rows, int n, void *base, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    IVL_TRY(ivl_read_file(path, FILE_MAX, &text, &bytes));
    ivl_status s = ivl_conf_yaml_text(rows, n, base, text, bytes, path);
    free(text);
    return s;
}
