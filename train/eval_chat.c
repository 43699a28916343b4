/* What a chat model's answers are worth: POPE, and exact answers per kind of question. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/json_save.h"
#include "train/pope.h"
#include "train/quiz.h"
#include "train/recall.h"

static json_t *interval(double share, int64_t n)
{
    double low = 0, high = 1;
    if (n) ivl_share_interval(share, n, &low, &high);
    return json_pack("[ff]", low, high);
}

static json_t *header(const char *task, const char *data, int n, const ivl_quiz_options *o)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "task", task, "dataset", data, "pretrained", o->model, "blind",
                     ivl_blind_name(o->blind), "suffix", o->suffix ? o->suffix : "", "questions", n);
}

static ivl_status ask(ivl_quiz *z, ivl_talk *t, const ivl_quiz_options *o)
{
    IVL_TRY(ivl_quiz_ask(z, t, o));
    if (o->answers) IVL_TRY(ivl_quiz_write(z, o->answers));
    return o->examples ? ivl_quiz_examples(z, o->examples, o->n_examples) : IVL_OK;
}

/* --- POPE ------------------------------------------------------------------------------------------ */

static json_t *pope_result(const ivl_quiz *z, const char *list, const ivl_quiz_options *o)
{
    ivl_pope p = { 0 };
    for (int i = 0; i < z->n; i++) ivl_pope_add(&p, ivl_pope_says_yes(z->q[i].answer), !strcmp(z->q[i].truth, "yes"));
    ivl_pope_scores s = ivl_pope_score(&p);
    double yes = (double)(p.true_yes + p.false_no) / z->n; /* a coin has this precision, and recalls half */
    json_t *r = header("pope", list, z->n, o);
    json_object_set_new(r, "metrics", json_pack("{s:f, s:f, s:f, s:f, s:f}", "accuracy", s.accuracy, "precision",
                                                s.precision, "recall", s.recall, "f1", s.f1, "yes_ratio", s.yes_ratio));
    json_object_set_new(r, "ci95", json_pack("{s:o}", "accuracy", interval(s.accuracy, z->n)));
    json_object_set_new(r, "chance", json_pack("{s:f, s:f}", "accuracy", 0.5, "f1", yes / (yes + 0.5)));
    json_object_set_new(r, "always_yes", json_pack("{s:f, s:f}", "accuracy", yes, "f1", 2 * yes / (1 + yes)));
    return r;
}

ivl_status ivl_eval_pope(ivl_talk *t, const char *const *lists, int n, const char *images, const ivl_quiz_options *o,
                         const char *out_json)
{
    json_t *results = json_array();
    ivl_status s = IVL_OK;
    for (int i = 0; i < n && s == IVL_OK; i++) {
        ivl_quiz z = { 0 };
        s = ivl_quiz_pope(lists[i], images, o->first, &z);
        if (s == IVL_OK) s = ask(&z, t, o);
        if (s == IVL_OK) json_array_append_new(results, pope_result(&z, lists[i], o));
        ivl_quiz_free(&z);
    }
    if (s == IVL_OK) return ivl_json_save(json_pack("{s:o}", "results", results), out_json);
    json_decref(results);
    return s;
}

/* --- exact answers --------------------------------------------------------------------------------- */

/* Next character that counts of a text: lower case, runs of white space as one space; 0 at its end, a full stop there
 * and white space around it aside. */
static int next_of(const char **p)
{
    const char *s = *p;
    size_t blank = strspn(s, " \t\r\n");
    if (!s[blank] || (s[blank] == '.' && !s[blank + 1 + strspn(s + blank + 1, " \t\r\n")])) return 0;
    *p = blank ? s + blank : s + 1;
    return blank ? ' ' : tolower((unsigned char)*s);
}

static bool same_answer(const char *a, const char *b)
{
    a += strspn(a, " \t\r\n"), b += strspn(b, " \t\r\n");
    for (;;) {
        int x = next_of(&a), y = next_of(&b);
        if (x != y) return false;
        if (!x) return true;
    }
}

static bool is_right(const ivl_question *q, ivl_quiz_kind kind)
{
    if (kind == IVL_QUIZ_PRESENCE) return ivl_pope_says_yes(q->answer) == ivl_pope_says_yes(q->truth);
    return same_answer(q->answer, q->truth);
}

static void put(json_t *r, const char *key, int64_t hits, int64_t n)
{
    if (!n) return;
    double share = (double)hits / (double)n;
    json_object_set_new(json_object_get(r, "metrics"), key, json_real(share));
    json_object_set_new(json_object_get(r, "counts"), key, json_integer(n));
    json_object_set_new(json_object_get(r, "ci95"), key, interval(share, n));
}

static json_t *chat_result(const ivl_quiz *z, const char *data, const ivl_quiz_options *o)
{
    int64_t hits[IVL_QUIZ_KINDS] = { 0 }, n[IVL_QUIZ_KINDS] = { 0 }, all = 0;
    json_t *r = header("chat_exact_match", data, z->n, o);
    for (int i = 0; i < z->n; i++) {
        ivl_quiz_kind k = ivl_quiz_kind_of(z->q[i].text);
        bool right = is_right(&z->q[i], k);
        hits[k] += right, n[k]++, all += right;
    }
    static const char *const parts[] = { "metrics", "counts", "ci95" };
    for (int i = 0; i < 3; i++) json_object_set_new(r, parts[i], json_object());
    put(r, "all", all, z->n);
    for (int k = 0; k < IVL_QUIZ_KINDS; k++) put(r, ivl_quiz_kind_name((ivl_quiz_kind)k), hits[k], n[k]);
    return r;
}

ivl_status ivl_eval_chat(ivl_talk *t, const char *conversations, const char *images, const ivl_quiz_options *o,
                         const char *out_json)
{
    ivl_quiz z = { 0 };
    ivl_status s = ivl_quiz_conversations(conversations, images, o->first, &z);
    if (s == IVL_OK) s = ask(&z, t, o);
    if (s == IVL_OK) s = ivl_json_save(json_pack("{s:[o]}", "results", chat_result(&z, conversations, o)), out_json);
    ivl_quiz_free(&z);
    return s;
}
