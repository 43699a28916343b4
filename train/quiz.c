#include "train/quiz.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/json_save.h"
#include "train/pictures.h"

static const char *const kind_name[IVL_QUIZ_KINDS] = { "what", "how_many", "color", "where", "is_there", "relation" };
const char *ivl_quiz_kind_name(ivl_quiz_kind k) { return kind_name[k]; }
const char *ivl_blind_name(ivl_blind b) { return b == IVL_SEES ? "no" : b == IVL_SEES_GREY ? "grey" : "none"; }

ivl_quiz_kind ivl_quiz_kind_of(const char *question)
{
    static const struct { const char *begins; ivl_quiz_kind kind; } t[] = {
        { "How many ", IVL_QUIZ_COUNT },      { "What color ", IVL_QUIZ_COLOR }, { "Where ", IVL_QUIZ_WHERE },
        { "Is there ", IVL_QUIZ_PRESENCE },   { "Is the ", IVL_QUIZ_RELATION },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (!strncmp(question, t[i].begins, strlen(t[i].begins))) return t[i].kind;
    return IVL_QUIZ_WHAT;
}

/* --- lists ----------------------------------------------------------------------------------------- */

static ivl_status add(ivl_quiz *z, const char *image, const char *text, const char *truth, int64_t record)
{
    if (z->n == z->room) {
        int room = 2 * z->room + 256;
        ivl_question *q = realloc(z->q, (size_t)room * sizeof *q);
        IVL_CHECK(q, IVL_ENOMEM, "out of memory for %d questions", room);
        z->q = q, z->room = room;
    }
    ivl_question *q = &z->q[z->n++];
    *q = (ivl_question){ strdup(image), strdup(text), strdup(truth), NULL, record };
    IVL_CHECK(q->image && q->text && q->truth, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

static ivl_status add_line(ivl_quiz *z, const char *path, int line, const char *text, size_t n)
{
    json_error_t why;
    json_t *j = json_loadb(text, n, 0, &why);
    const char *image = json_string_value(json_object_get(j, "image")),
               *question = json_string_value(json_object_get(j, "text")),
               *label = json_string_value(json_object_get(j, "label"));
    ivl_status s = IVL_OK;
    if (!image || !question || !label || (strcmp(label, "yes") && strcmp(label, "no")))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                     "%s:%d: no {\"image\": name, \"text\": question, \"label\": \"yes\" or \"no\"}", path, line);
    if (s == IVL_OK) s = ivl_picture_store_find(z->store, image);
    bool same = s == IVL_OK && z->n && !strcmp(z->q[z->n - 1].image, image); /* a picture's questions stand together */
    if (s == IVL_OK) s = add(z, image, question, label, !z->n ? 0 : z->q[z->n - 1].record + !same);
    json_decref(j);
    return s;
}

ivl_status ivl_quiz_pope(const char *path, const char *images, int first, ivl_quiz *z)
{
    char *bytes = NULL;
    size_t size = 0;
    int line = 0;
    IVL_TRY(ivl_picture_store_open(images, &z->store));
    IVL_TRY(ivl_read_file(path, (size_t)1 << 30, &bytes, &size));
    ivl_status s = IVL_OK;
    for (const char *p = bytes, *end = bytes + size; p < end && s == IVL_OK && (!first || z->n < first);) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p);
        line++;
        if (strspn(p, " \t\r") < n) s = add_line(z, path, line, p, n);
        p += n + 1;
    }
    free(bytes);
    IVL_TRY(s);
    IVL_CHECK(z->n, IVL_EFORMAT, "%s: no questions", path);
    return IVL_OK;
}

/* Without the picture's mark and the white space around it. */
static ivl_status add_turn(ivl_quiz *z, const ivl_conversation *c, const ivl_turn *turn, int64_t record)
{
    const char *q = turn->question, *mark = strstr(q, "<image>");
    if (!turn->answer) return IVL_OK;
    if (mark == q) q += strlen("<image>");
    q += strspn(q, " \n");
    return add(z, c->image[0].name, q, turn->answer, record);
}

ivl_status ivl_quiz_conversations(const char *path, const char *images, int first, ivl_quiz *z)
{
    IVL_TRY(ivl_conversations_open(path, images, &z->talks));
    for (int64_t i = 0; i < ivl_conversations_count(z->talks) && (!first || z->n < first); i++) {
        ivl_conversation c = { 0 };
        IVL_TRY(ivl_conversations_read_text(z->talks, i, &c));
        ivl_status s = IVL_OK;
        for (int k = 0; c.n_images == 1 && k < c.n_turns && s == IVL_OK && (!first || z->n < first); k++)
            s = add_turn(z, &c, &c.turn[k], i);
        ivl_conversation_free(&c);
        IVL_TRY(s);
    }
    IVL_CHECK(z->n, IVL_EFORMAT, "%s: no questions about one picture with their answers", path);
    return IVL_OK;
}

void ivl_quiz_free(ivl_quiz *z)
{
    for (int i = 0; i < z->n; i++) free(z->q[i].image), free(z->q[i].text), free(z->q[i].truth), free(z->q[i].answer);
    free(z->q);
    ivl_picture_store_close(z->store);
    ivl_conversations_close(z->talks);
    *z = (ivl_quiz){ 0 };
}

/* --- asking ---------------------------------------------------------------------------------------- */

static ivl_status show(void *ctx, int i, ivl_picture *p)
{
    const ivl_quiz *z = ctx;
    uint8_t *bytes = NULL;
    p->name = z->q[i].image;
    if (z->store) {
        IVL_TRY(ivl_picture_store_read(z->store, z->q[i].image, &bytes, &p->n));
    } else {
        ivl_conversation c = { 0 };
        IVL_TRY(ivl_conversations_read(z->talks, z->q[i].record, &c));
        bytes = c.image[0].bytes, p->n = c.image[0].n;
        c.image[0].bytes = NULL;
        ivl_conversation_free(&c);
    }
    p->bytes = bytes;
    return IVL_OK;
}

static char *prompt_of(const ivl_question *q, const ivl_quiz_options *o)
{
    const char *suffix = o->suffix ? o->suffix : "";
    size_t n = strlen(q->text) + strlen(suffix) + 16;
    char *text = malloc(n);
    if (text)
        snprintf(text, n, "%s%s%s%s", o->blind == IVL_SEES_NOTHING ? "" : "<image>\n", q->text, *suffix ? "\n" : "",
                 suffix);
    return text;
}

ivl_status ivl_quiz_ask(ivl_quiz *z, ivl_talk *t, const ivl_quiz_options *o)
{
    size_t n = (size_t)z->n;
    char **text = calloc(n, sizeof *text), **answer = calloc(n, sizeof *answer);
    bool ok = text && answer;
    for (size_t i = 0; ok && i < n; i++) ok = (text[i] = prompt_of(&z->q[i], o));
    ivl_talk_questions q = { (const char *const *)text, z->n, o->batch,   o->blind != IVL_SEES_NOTHING,
                             o->blind == IVL_SEES ? show : NULL, z, o->progress, o->ctx };
    ivl_status s = ok ? ivl_talk_answers(t, &q, answer) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (answer) z->q[i].answer = answer[i];
        if (text) free(text[i]);
    }
    free(text), free(answer);
    return s;
}

/* --- showing --------------------------------------------------------------------------------------- */

ivl_status ivl_quiz_write(const ivl_quiz *z, const char *path)
{
    ivl_out_file out = { 0 };
    IVL_TRY(ivl_out_open(path, &out));
    ivl_status s = IVL_OK;
    for (int i = 0; i < z->n && s == IVL_OK; i++) {
        const ivl_question *q = &z->q[i];
        json_t *j = json_pack("{s:s, s:s, s:s, s:s}", "image", q->image, "question", q->text, "answer", q->answer,
                              "truth", q->truth);
        if (!j) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        else json_dumpf(j, out.f, 0), fputc('\n', out.f); /* a write error is found by commit */
        json_decref(j);
    }
    if (s == IVL_OK) s = ivl_out_commit(&out);
    ivl_out_abandon(&out);
    return s;
}

/* Questions [first, end) of one picture. */
static json_t *example(const ivl_quiz *z, int first, int end)
{
    ivl_picture p = { 0 };
    json_t *turns = json_array();
    for (int i = first; i < end; i++)
        json_array_append_new(turns, json_pack("{s:s, s:s, s:s}", "question", z->q[i].text, "answer", z->q[i].answer,
                                               "truth", z->q[i].truth));
    char *url = show((void *)(uintptr_t)z, first, &p) == IVL_OK ? ivl_picture_url(p.bytes, p.n) : NULL;
    json_t *e = json_pack("{s:s, s:o, s:s*}", "key", z->q[first].image, "turns", turns, "image", url);
    free((void *)(uintptr_t)p.bytes), free(url);
    return e;
}

ivl_status ivl_quiz_examples(const ivl_quiz *z, const char *path, int n)
{
    json_t *list = json_array();
    for (int i = 0, end; i < z->n && (int)json_array_size(list) < n; i = end) {
        for (end = i; end < z->n && z->q[end].record == z->q[i].record; end++) continue;
        json_array_append_new(list, example(z, i, end));
    }
    return ivl_json_save(json_pack("{s:o}", "conversations", list), path);
}
