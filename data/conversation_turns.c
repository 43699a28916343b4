/* One record of a conversation file: from JSON to turns. */
#include "data/conversations.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MARK "<image>"
#define TEXT_MARK "<image >" /* what says the same and is no mark */

typedef struct record {
    char where[600];
    json_t *root;
    ivl_conversation c;
    char **own; /* texts that were changed */
    int n_own;
} record;

static const char *kind(const json_t *j)
{
    static const char *const names[] = { "an object", "an array", "a string", "a number", "a number", "a truth value",
                                         "a truth value", "null" };
    return j ? names[json_typeof(j)] : "absent";
}

static int marks_in(const char *text)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, MARK)); p += strlen(MARK)) n++;
    return n;
}

/* Takes text (NULL: out of memory). */
static ivl_status keep(record *r, char *text, const char **kept_p)
{
    char **more = text ? realloc(r->own, (size_t)(r->n_own + 2) * sizeof *more) : NULL;
    if (more) r->own = more;
    else free(text);
    IVL_CHECK(more, IVL_ENOMEM, "%s: out of memory", r->where);
    r->own[r->n_own++] = text, r->own[r->n_own] = NULL;
    *kept_p = text;
    return IVL_OK;
}

/* Every mark replaced by `with`, and before all of it `front` as often as `times`. */
static char *rewritten(const char *text, const char *front, int times, const char *with)
{
    size_t n = strlen(text) + (size_t)times * strlen(front) + (size_t)marks_in(text) * strlen(with) + 1;
    char *out = malloc(n), *to = out;
    if (!out) return NULL;
    for (int i = 0; i < times; i++) to = stpcpy(to, front);
    for (const char *p; (p = strstr(text, MARK)); text = p + strlen(MARK)) {
        memcpy(to, text, (size_t)(p - text));
        to = stpcpy(to + (p - text), with);
    }
    strcpy(to, text);
    return out;
}

static char *stripped(char *text)
{
    static const char white[] = " \t\n\r\f\v";
    size_t from = text ? strspn(text, white) : 0, n = text ? strlen(text) : 0;
    while (n > from && strchr(white, text[n - 1])) n--;
    if (text) memmove(text, text + from, n - from), text[n - from] = 0;
    return text;
}

/* LLaVA's form of a question with one picture: the mark, a line break, the text. */
static char *mark_first(const char *text)
{
    char *bare = stripped(rewritten(text, "", 0, ""));
    char *out = bare ? rewritten(bare, *bare ? MARK "\n" : MARK, 1, "") : NULL;
    free(bare);
    return out;
}

/* Marks of questions are made to fit the pictures, others become text. */
static ivl_status settle_marks(record *r)
{
    int marks = 0;
    ivl_conversation *c = &r->c;
    for (int i = 0; i < c->n_turns; i++) {
        ivl_turn *t = &c->turn[i];
        if (t->answer && marks_in(t->answer)) IVL_TRY(keep(r, rewritten(t->answer, "", 0, TEXT_MARK), &t->answer));
        int n = marks_in(t->question);
        if (n && !c->n_images) IVL_TRY(keep(r, rewritten(t->question, "", 0, TEXT_MARK), &t->question));
        else if (n == 1) IVL_TRY(keep(r, mark_first(t->question), &t->question));
        marks += n;
    }
    if (!c->n_images || marks == c->n_images) return IVL_OK;
    IVL_CHECK(!marks, IVL_EFORMAT, "%s: %d " MARK " marks in its questions for %d pictures", r->where, marks,
              c->n_images);
    if (c->n_images == 1) return keep(r, rewritten(c->turn[0].question, MARK "\n", 1, MARK), &c->turn[0].question);
    return keep(r, rewritten(c->turn[0].question, MARK, c->n_images, MARK), &c->turn[0].question);
}

typedef enum who { HUMAN, GPT, SYSTEM } who;

static ivl_status message(const record *r, const json_t *all, size_t i, who *who_p, const char **text_p)
{
    static const struct { const char *name; who who; } names[] = {
        { "human", HUMAN }, { "user", HUMAN }, { "gpt", GPT }, { "assistant", GPT }, { "system", SYSTEM },
    };
    const json_t *m = json_array_get(all, i), *from = json_object_get(m, "from"), *value = json_object_get(m, "value");
    IVL_CHECK(json_is_object(m), IVL_EFORMAT,
              "%s: \"conversations\"[%zu] is %s; {\"from\", \"value\"} is expected", r->where, i, kind(m));
    IVL_CHECK(json_is_string(from), IVL_EFORMAT,
              "%s: \"from\" of \"conversations\"[%zu] is %s; a string is expected", r->where, i, kind(from));
    IVL_CHECK(json_is_string(value), IVL_EFORMAT,
              "%s: \"value\" of \"conversations\"[%zu] is %s; a string is expected", r->where, i, kind(value));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (strcmp(json_string_value(from), names[k].name)) continue;
        *who_p = names[k].who, *text_p = json_string_value(value);
        return IVL_OK;
    }
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                    "%s: \"from\" of \"conversations\"[%zu] is \"%s\"; human or gpt is expected", r->where, i,
                    json_string_value(from));
}

static ivl_status read_turns(record *r)
{
    const json_t *all = json_object_get(r->root, "conversations");
    IVL_CHECK(json_is_array(all), IVL_EFORMAT, "%s: \"conversations\" is %s; an array is expected", r->where,
              kind(all));
    size_t n = json_array_size(all), i = 0;
    ivl_conversation *c = &r->c;
    c->turn = calloc(n + 1, sizeof *c->turn);
    IVL_CHECK(c->turn, IVL_ENOMEM, "%s: out of memory for %zu turns", r->where, n);
    for (who expected = HUMAN; i < n; i++) {
        who is = HUMAN;
        const char *text = NULL;
        IVL_TRY(message(r, all, i, &is, &text));
        if (is == SYSTEM && i == 0) c->system = text;
        else if (is == GPT && expected == HUMAN && !c->n_turns) continue; /* nothing asked for it */
        else if (is != expected)
            return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: \"conversations\"[%zu] is from \"%s\"; the turn is "
                            "%s's", r->where, i, is == HUMAN ? "human" : is == GPT ? "gpt" : "system",
                            expected == HUMAN ? "human" : "gpt");
        else if (is == HUMAN) c->turn[c->n_turns++].question = text, expected = GPT;
        else c->turn[c->n_turns - 1].answer = text, expected = HUMAN;
    }
    IVL_CHECK(c->n_turns, IVL_EFORMAT, "%s: \"conversations\" has no message from human", r->where);
    return IVL_OK;
}

static ivl_status read_images(record *r)
{
    const json_t *image = json_object_get(r->root, "image");
    bool none = !image || json_is_null(image), many = json_is_array(image);
    size_t n = many ? json_array_size(image) : !none;
    r->c.image = calloc(n + 1, sizeof *r->c.image);
    IVL_CHECK(r->c.image, IVL_ENOMEM, "%s: out of memory for %zu pictures", r->where, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = many ? json_array_get(image, i) : image;
        IVL_CHECK(json_is_string(one) && json_string_length(one), IVL_EFORMAT,
                  "%s: \"image\" is %s; the path of a picture or an array of paths is expected", r->where,
                  json_is_string(one) ? "empty" : kind(one));
        r->c.image[r->c.n_images++].name = json_string_value(one);
    }
    return IVL_OK;
}

/* The record's id joins what messages begin with. */
static void name_record(record *r, const char *where)
{
    const json_t *id = json_object_get(r->root, "id");
    int n = snprintf(r->where, sizeof r->where, "%.400s", where);
    if (json_is_string(id))
        snprintf(r->where + n, sizeof r->where - (size_t)n, " (id \"%.100s\")", json_string_value(id));
    else if (json_is_integer(id))
        snprintf(r->where + n, sizeof r->where - (size_t)n, " (id %lld)", (long long)json_integer_value(id));
}

ivl_status ivl_conversation_parse(const char *text, size_t n, const char *where, ivl_conversation *out_p)
{
    json_error_t e;
    record r = { .root = json_loadb(text, n, 0, &e) };
    IVL_CHECK(r.root, IVL_EFORMAT, "%s: no JSON object: %s (at its line %d)", where, e.text, e.line);
    name_record(&r, where);
    ivl_status s = json_is_object(r.root) ? IVL_OK
                                          : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                                                     "%s: the record is %s; an object is expected", r.where,
                                                     kind(r.root));
    if (s == IVL_OK) s = read_turns(&r);
    if (s == IVL_OK) s = read_images(&r);
    if (s == IVL_OK) s = settle_marks(&r);
    if (s == IVL_OK) s = keep(&r, strdup(r.where), &r.c.where);
    r.c.json = r.root, r.c.memory = r.own;
    if (s == IVL_OK) *out_p = r.c;
    else ivl_conversation_free(&r.c);
    return s;
}

void ivl_conversation_free(ivl_conversation *c)
{
    if (!c) return;
    for (int i = 0; i < c->n_images; i++) free(c->image[i].bytes);
    for (char **own = c->memory; own && *own; own++) free(*own);
    json_decref(c->json);
    free(c->memory), free(c->turn), free(c->image);
    *c = (ivl_conversation){ 0 };
}
