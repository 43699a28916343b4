#include "train/pope.h"

#include <string.h>

/* text[n] is `word`, but for commas in it. */
static bool is_word(const char *text, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ',') continue;
        if (!*word || text[i] != *word) return false;
        word++;
    }
    return !*word;
}

bool ivl_pope_says_yes(const char *reply)
{
    const char *end = strchr(reply, '.'), *next;
    if (!end) end = reply + strlen(reply);
    for (const char *p = reply; p <= end; p = next + 1) {
        next = memchr(p, ' ', (size_t)(end - p));
        if (!next) next = end;
        size_t n = (size_t)(next - p);
        if (is_word(p, n, "No") || is_word(p, n, "no") || is_word(p, n, "not")) return false;
    }
    return true;
}

void ivl_pope_add(ivl_pope *p, bool says_yes, bool is_yes)
{
    if (says_yes) is_yes ? p->true_yes++ : p->false_yes++;
    else is_yes ? p->false_no++ : p->true_no++;
}

static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

ivl_pope_scores ivl_pope_score(const ivl_pope *p)
{
    int64_t said = p->true_yes + p->false_yes, all = said + p->true_no + p->false_no;
    return (ivl_pope_scores){ .accuracy = ratio(p->true_yes + p->true_no, all),
                              .precision = ratio(p->true_yes, said),
                              .recall = ratio(p->true_yes, p->true_yes + p->false_no),
                              .f1 = ratio(2 * p->true_yes, 2 * p->true_yes + p->false_yes + p->false_no),
                              .yes_ratio = ratio(said, all) };
}
