/* Which words go with a picture in which part.
 *
 * A withheld name must not be shown in training under another label: the same words as another language's
 * name, or as one of the keywords, are left out too. Words are compared as the trainer's cleaning leaves them
 * (case and punctuation do not count). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/emoji/set.h"
#include "data/tokenizer.h"

enum { KEYWORDS_MAX = 8 }; /* of a caption */

/* --- sets of cleaned texts ----------------------------------------------------------------------------- */

typedef struct texts { char **v; int n, room; } texts;

static void free_texts(texts *t)
{
    for (int i = 0; i < t->n; i++) free(t->v[i]);
    free(t->v);
}

static ivl_status add_text(texts *t, const char *text)
{
    if (t->n == t->room) {
        int room = 2 * t->room + 32;
        char **more = realloc(t->v, (size_t)room * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory");
        t->v = more, t->room = room;
    }
    IVL_TRY(ivl_text_clean(text, 0, &t->v[t->n]));
    t->n++;
    return IVL_OK;
}

static ivl_status has_text(const texts *t, const char *text, bool *has_p)
{
    char *clean = NULL;
    *has_p = false;
    if (!t->n) return IVL_OK;
    IVL_TRY(ivl_text_clean(text, 0, &clean));
    for (int i = 0; i < t->n && !*has_p; i++) *has_p = !strcmp(t->v[i], clean);
    free(clean);
    return IVL_OK;
}

/* --- keywords ------------------------------------------------------------------------------------------ */

/* The next of "a | b | c", copied to word; false at the end. */
static bool next_keyword(const char **rest, char *word, size_t room)
{
    *rest += strspn(*rest, " |");
    size_t n = strcspn(*rest, "|"), kept = n;
    while (kept && (*rest)[kept - 1] == ' ') kept--;
    if (kept >= room) kept = 0; /* no keyword is that long */
    memcpy(word, *rest, kept);
    word[kept] = 0;
    bool found = n > 0;
    *rest += n;
    return found;
}

enum { WORD = 512, PHRASE = KEYWORDS_MAX * (WORD + 2) };

/* "face, grin": the keywords that say something new, "" if none is left. */
static ivl_status phrase_of(const char *keywords, const char *name, const texts *hidden, char phrase[PHRASE])
{
    char word[WORD];
    texts used = { 0 };
    size_t at = 0;
    int n = 0;
    bool skip = false;
    phrase[0] = 0;
    ivl_status s = name ? add_text(&used, name) : IVL_OK;
    while (s == IVL_OK && n < KEYWORDS_MAX && next_keyword(&keywords, word, sizeof word)) {
        if (!*word) continue;
        s = has_text(hidden, word, &skip);
        if (s == IVL_OK && !skip) s = has_text(&used, word, &skip);
        if (s != IVL_OK || skip) continue;
        at += (size_t)snprintf(phrase + at, PHRASE - at, n++ ? ", %s" : "%s", word);
        s = add_text(&used, word);
    }
    free_texts(&used);
    return s;
}

/* --- parts --------------------------------------------------------------------------------------------- */

static ivl_status training(const ivl_emoji_set *set, int p, const texts *hidden, ivl_emoji_hear hear,
                           void *ctx)
{
    char phrase[PHRASE];
    for (int l = 0; l < set->n_languages; l++) {
        const ivl_emoji_language *lang = &set->language[l];
        const char *name = lang->held_out ? NULL : lang->name[p];
        bool skip = false;
        if (name) IVL_TRY(has_text(hidden, name, &skip));
        if (name && !skip) IVL_TRY(hear(ctx, l, name, false));
        if (lang->held_out || !lang->keywords[p]) continue;
        IVL_TRY(phrase_of(lang->keywords[p], name, hidden, phrase));
        if (*phrase) IVL_TRY(has_text(hidden, phrase, &skip));
        if (*phrase && !skip) IVL_TRY(hear(ctx, l, phrase, true));
    }
    return IVL_OK;
}

static ivl_status train_part(const ivl_emoji_set *set, int p, ivl_emoji_hear hear, void *ctx)
{
    texts hidden = { 0 };
    ivl_status s = IVL_OK;
    for (int l = 0; l < set->n_languages && s == IVL_OK; l++)
        if (ivl_emoji_withheld(set, p, l)) s = add_text(&hidden, set->language[l].name[p]);
    if (s == IVL_OK) s = training(set, p, &hidden, hear, ctx);
    free_texts(&hidden);
    return s;
}

/* Names in held-out languages that are not, by chance, words of a trained one for this picture ("robot"). */
static ivl_status language_part(const ivl_emoji_set *set, int p, ivl_emoji_hear hear, void *ctx)
{
    texts known = { 0 };
    ivl_status s = IVL_OK;
    for (int l = 0; l < set->n_languages && s == IVL_OK; l++) {
        const ivl_emoji_language *lang = &set->language[l];
        char word[WORD];
        if (lang->held_out) continue;
        if (lang->name[p]) s = add_text(&known, lang->name[p]);
        for (const char *k = lang->keywords[p]; k && s == IVL_OK && next_keyword(&k, word, sizeof word);)
            s = add_text(&known, word);
    }
    for (int l = 0; l < set->n_languages && s == IVL_OK; l++) {
        const ivl_emoji_language *lang = &set->language[l];
        bool skip = false;
        if (!lang->held_out || !lang->name[p]) continue;
        s = has_text(&known, lang->name[p], &skip);
        if (s == IVL_OK && !skip) s = hear(ctx, l, lang->name[p], false);
    }
    free_texts(&known);
    return s;
}

/* Names in trained languages: all, or the withheld ones. */
static ivl_status name_part(const ivl_emoji_set *set, int p, bool withheld, ivl_emoji_hear hear, void *ctx)
{
    for (int l = 0; l < set->n_languages; l++) {
        const ivl_emoji_language *lang = &set->language[l];
        if (lang->held_out || !lang->name[p] || (withheld && !ivl_emoji_withheld(set, p, l))) continue;
        IVL_TRY(hear(ctx, l, lang->name[p], false));
    }
    return IVL_OK;
}

ivl_status ivl_emoji_captions(const ivl_emoji_set *set, int p, ivl_emoji_part_id part, ivl_emoji_hear hear,
                              void *ctx)
{
    const ivl_emoji_picture *pic = &set->picture[p];
    bool held_out = set->concept[pic->concept].held_out;
    switch (part) {
    case IVL_EMOJI_TRAIN: return held_out ? IVL_OK : train_part(set, p, hear, ctx);
    case IVL_EMOJI_VAL_CAPTIONS: return held_out ? IVL_OK : name_part(set, p, true, hear, ctx);
    case IVL_EMOJI_VAL_CONCEPTS: return held_out ? name_part(set, p, false, hear, ctx) : IVL_OK;
    default: return pic->foreign ? language_part(set, p, hear, ctx) : IVL_OK;
    }
}
