/* The words of a record: from its .json, else its .txt, and what a list told, in one block of memory. */
#include "data/dataset.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CAPTIONS = 1 << 20 };

/* Text grows, so captions are offsets until the end; -1: none. */
typedef struct words {
    char *text;
    size_t n, room;
    struct { int64_t text, lang; } *cap;
    int n_cap, room_cap;
    int64_t group;
} words;

static ivl_status add_string(words *w, const char *s, size_t n, int64_t *off_p)
{
    if (w->n + n + 1 > w->room) {
        size_t room = 2 * w->room + n + 256;
        char *more = realloc(w->text, room);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory for captions");
        w->text = more, w->room = room;
    }
    *off_p = (int64_t)w->n;
    memcpy(w->text + w->n, s, n);
    w->text[w->n + n] = 0;
    w->n += n + 1;
    return IVL_OK;
}

static ivl_status add_caption(words *w, const char *s, size_t n, const char *lang)
{
    while (n && (s[n - 1] == '\n' || s[n - 1] == '\r')) n--;
    if (!n || w->n_cap >= MAX_CAPTIONS) return IVL_OK; /* an empty caption is none */
    if (w->n_cap == w->room_cap) {
        int room = 2 * w->room_cap + 8;
        void *more = realloc(w->cap, (size_t)room * sizeof *w->cap);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory for captions");
        w->cap = more, w->room_cap = room;
    }
    int64_t text = 0, tag = -1;
    IVL_TRY(add_string(w, s, n, &text));
    if (lang && *lang) IVL_TRY(add_string(w, lang, strlen(lang), &tag));
    w->cap[w->n_cap].text = text, w->cap[w->n_cap++].lang = tag;
    return IVL_OK;
}

static ivl_status add_lines(words *w, const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        IVL_TRY(add_caption(w, p, n, NULL));
        p += n + (p[n] == '\n');
    }
    return IVL_OK;
}

/* A string, or an object with "text" and perhaps "lang". */
static ivl_status add_json_caption(words *w, const json_t *c)
{
    const json_t *text = json_is_object(c) ? json_object_get(c, "text") : c;
    if (!json_is_string(text)) return IVL_OK;
    return add_caption(w, json_string_value(text), json_string_length(text),
                       json_string_value(json_object_get(c, "lang")));
}

/* "group" or "concept", text or a number. */
static ivl_status read_group(words *w, const json_t *root)
{
    const json_t *g = json_object_get(root, "group");
    if (!g) g = json_object_get(root, "concept");
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(g));
    const char *s = json_is_string(g) ? json_string_value(g) : json_is_integer(g) ? number : NULL;
    return s && *s ? add_string(w, s, strlen(s), &w->group) : IVL_OK;
}

static ivl_status read_json(words *w, const char *where, const char *text, size_t n)
{
    json_error_t err;
    json_t *root = json_loadb(text, n, JSON_ALLOW_NUL, &err);
    if (!root)
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: its .json is damaged at line %d: %s", where,
                        err.line, err.text);
    ivl_status s = IVL_OK;
    if (!json_is_object(root))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: its .json is no object", where);
    if (s == IVL_OK) s = read_group(w, root);
    const json_t *all = json_object_get(root, "captions"), *one = NULL;
    size_t i = 0;
    if (json_is_array(all)) {
        json_array_foreach(all, i, one)
            if (s == IVL_OK) s = add_json_caption(w, one);
    } else if (s == IVL_OK) {
        s = add_json_caption(w, json_object_get(root, "caption"));
    }
    json_decref(root);
    return s;
}

static ivl_status add_told(words *w, const ivl_dataset *ds, const ivl_item *item)
{
    for (int64_t i = item->told_first; i >= 0; i = ds->told[i].next)
        IVL_TRY(add_caption(w, ds->told[i].text, strlen(ds->told[i].text), ds->told[i].lang));
    if (item->group && w->group < 0) return add_string(w, item->group, strlen(item->group), &w->group);
    return IVL_OK;
}

/* Captions first, then the text they point into. */
static ivl_status pack(const words *w, const char *key, ivl_sample *rec)
{
    size_t table = (size_t)w->n_cap * sizeof *rec->caption;
    char *m = malloc(table + w->n + 1);
    IVL_CHECK(m, IVL_ENOMEM, "out of memory for captions");
    char *text = m + table;
    if (w->n) memcpy(text, w->text, w->n);
    rec->memory = m, rec->memory_bytes = table + w->n + 1, rec->key = key;
    rec->caption = (ivl_caption *)(void *)m, rec->n_captions = w->n_cap;
    rec->group = w->group < 0 ? NULL : text + w->group;
    for (int i = 0; i < w->n_cap; i++)
        rec->caption[i] =
            (ivl_caption){ text + w->cap[i].text, w->cap[i].lang < 0 ? NULL : text + w->cap[i].lang };
    return IVL_OK;
}

ivl_status ivl_record_build(const ivl_dataset *ds, const ivl_item *item, const char *where, const char *text,
                            const char *json, size_t json_n, ivl_sample *rec)
{
    words w = { .group = -1 };
    ivl_status s = json ? read_json(&w, where, json, json_n) : IVL_OK;
    if (s == IVL_OK && text && !w.n_cap) s = add_lines(&w, text);
    if (s == IVL_OK) s = add_told(&w, ds, item);
    if (s == IVL_OK) s = pack(&w, item->key, rec);
    free(w.text), free(w.cap);
    return s;
}

void ivl_sample_free(ivl_sample *rec)
{
    if (!rec) return;
    free(rec->image), free(rec->memory);
    *rec = (ivl_sample){ 0 };
}
