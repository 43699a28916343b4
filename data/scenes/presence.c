/* Is there a dog? Questions whether something is in a scene, and their answers. */
#include <stdio.h>
#include <string.h>

#include "data/scenes/kit.h"

static bool has_int(const int *list, int n, int x)
{
    for (int i = 0; i < n; i++)
        if (list[i] == x) return true;
    return false;
}

/* Something that is not there, as often frequent, or of the same kind, as c; -1: nothing was found. */
static int scene_lacks(const kit *k, const scene *s, dice *d, int c)
{
    int category = dice_chance(d, 0.4) ? k->concept[c].category : -1;
    for (int tries = 0; tries < 20 && scene_count_of(s, c); tries++) c = scene_pick(k, d, tries < 10 ? category : -1);
    return scene_count_of(s, c) ? -1 : c;
}

static void say_question(const kit *k, dice *d, int c, tell_text q)
{
    const char *one = k->concept[c].one;
    tell_say(q, "Is there %s %s in the %s?", tell_article(one), one, dice_chance(d, 0.7) ? "image" : "picture");
}

bool presence_ask(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    bool there = dice_chance(d, 0.5);
    int c = s->group[dice_below(d, s->n_groups)].concept;
    if (!there) c = scene_lacks(k, s, d, c);
    if (c < 0) return false;
    const concept_row *o = &k->concept[c];
    int n = scene_count_of(s, c);
    say_question(k, d, c, q);
    if (dice_chance(d, 0.5))
        tell_say(a, n ? "Yes." : "No.");
    else if (!n)
        tell_say(a, "No, there is no %s.", o->one);
    else if (n == 1)
        tell_say(a, "Yes, there is %s %s.", tell_article(o->one), o->one);
    else
        tell_say(a, "Yes, there are %s %s.", tell_number(n), o->many);
    tell_say(word, n ? "Yes" : "No");
    return true;
}

/* --- several questions about one scene ------------------------------------------------------------------ */

/* Where the first of a concept stands. */
static double x_of(const scene *s, int concept)
{
    int g = 0;
    while (s->group[g].concept != concept) g++;
    return s->thing[s->group[g].first].x;
}

/* What is there, each once, from left to right. */
static int kinds_there(const scene *s, int c[SCENE_GROUPS])
{
    int n = scene_concepts(s, c);
    for (int i = 1; i < n; i++) {
        int at = i, concept = c[i];
        for (; at && x_of(s, c[at - 1]) > x_of(s, concept); at--) c[at] = c[at - 1];
        c[at] = concept;
    }
    return n;
}

static void shuffle(dice *d, int *list, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = dice_below(d, i + 1), other = list[j];
        list[j] = list[i], list[i] = other;
    }
}

/* "I see a ring, seals and a dog": what is there, `first` before the others if it is among them. */
static void say_seen(const kit *k, const scene *s, int first, tell_text text)
{
    int c[SCENE_GROUPS], n = kinds_there(s, c);
    for (int i = n - 1; i > 0; i--)
        if (c[i] == first) c[i] = c[i - 1], c[i - 1] = first;
    tell_say(text, "I see ");
    for (int i = 0; i < n; i++) {
        const concept_row *o = &k->concept[c[i]];
        const char *join = !i ? "" : i < n - 1 ? ", " : " and ";
        size_t used = strlen(text);
        if (scene_count_of(s, c[i]) > 1) snprintf(text + used, TELL_TEXT - used, "%s%s", join, o->many);
        else snprintf(text + used, TELL_TEXT - used, "%s%s %s", join, tell_article(o->one), o->one);
    }
}

static int lacks_and_unasked(const kit *k, const scene *s, dice *d, const int *asked_for, int n)
{
    for (int tries = 0; tries < 40; tries++) {
        int c = scene_lacks(k, s, d, s->group[dice_below(d, s->n_groups)].concept);
        if (c >= 0 && !has_int(asked_for, n, c)) return c;
    }
    return -1;
}

int presence_ask_all(const kit *k, const scene *s, dice *d, int most, bool reasoned, tell_text *question,
                     tell_text *answer)
{
    int there[SCENE_GROUPS], asked_for[TELL_WORDS], left = kinds_there(s, there), n = 0;
    shuffle(d, there, left);
    while (left && n < most && n < TELL_WORDS) {
        bool yes = dice_chance(d, 0.5);
        int c = yes ? there[--left] : lacks_and_unasked(k, s, d, asked_for, n);
        if (c < 0) break;
        asked_for[n] = c;
        say_question(k, d, c, question[n]);
        if (reasoned) {
            tell_text seen;
            say_seen(k, s, c, seen);
            tell_say(answer[n], "%.340s, so %s.", seen, yes ? "yes" : "no");
        } else {
            tell_say(answer[n], yes ? "Yes" : "No");
        }
        n++;
    }
    return n;
}

void tell_reasons(const kit *k, const scene *s, dice *d, tell_text question[TELL_REASONS],
                  tell_text answer[TELL_REASONS], int *n_p)
{
    static const char *const asks[] = { "What is in the picture?", "What do you see in this image?",
                                        "What does the picture show?" };
    int n = 0;
    if (dice_chance(d, 0.3)) {
        tell_text seen;
        say_seen(k, s, -1, seen);
        tell_say(question[n], "%s", asks[dice_below(d, 3)]);
        tell_say(answer[n++], "%.340s.", seen);
    }
    *n_p = n + presence_ask_all(k, s, d, 1, true, question + n, answer + n);
}
