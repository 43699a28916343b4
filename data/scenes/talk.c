/* Questions about a scene and their answers: what is there, how many, which colour, where. */
#include <string.h>

#include "data/scenes/kit.h"

/* "a dog." -> "A dog." */
static void capital(tell_text text)
{
    if (text[0] >= 'a' && text[0] <= 'z') text[0] = (char)(text[0] - 'a' + 'A');
}

static int groups_of(const scene *s, int concept)
{
    int n = 0;
    for (int g = 0; g < s->n_groups; g++) n += s->group[g].concept == concept;
    return n;
}

/* --- the kinds of questions, with a sentence and a word that answer; false: the scene gives no such question --- */

static bool ask_what(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    static const char *const asks[] = { "What is in the picture?", "What do you see in this image?",
                                        "Describe the image briefly.", "What does the picture show?" };
    tell_text caption[TELL_CAPTIONS];
    int n;
    tell_captions(k, s, d, caption, &n);
    tell_say(q, "%s", asks[dice_below(d, 4)]);
    tell_say(a, "%.380s.", caption[dice_below(d, 2)]);
    tell_say(word, "%s", a);
    capital(a);
    return true;
}

static bool ask_count(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    bool none = dice_chance(d, 0.15);
    int c = none ? scene_pick(k, d, -1) : s->group[dice_below(d, s->n_groups)].concept;
    int n = scene_count_of(s, c);
    const concept_row *o = &k->concept[c];
    tell_say(q, dice_chance(d, 0.5) ? "How many %s are there?" : "How many %s are in the image?", o->many);
    if (n == 0)
        tell_say(a, "There are no %s.", o->many);
    else if (n == 1)
        tell_say(a, "There is one %s.", o->one);
    else
        tell_say(a, "There are %s %s.", tell_number(n), o->many);
    tell_say(word, "%s", n ? tell_number(n) : "none");
    return true;
}

static bool ask_all(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    (void)k;
    tell_say(q,
        dice_chance(d, 0.5) ? "How many objects are in the picture?" : "How many things are there in total?");
    tell_say(a, s->n_things == 1 ? "There is %s." : "There are %s.", tell_number(s->n_things));
    tell_say(word, "%s", tell_number(s->n_things));
    return true;
}

static bool ask_color(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    const group *g = &s->group[dice_below(d, s->n_groups)];
    if (g->color == TINT_NONE || groups_of(s, g->concept) > 1) return false;
    const concept_row *o = &k->concept[g->concept];
    bool many = g->count > 1;
    tell_say(q, "What color %s the %s?", many ? "are" : "is", many ? o->many : o->one);
    tell_say(a, "The %s %s %s.", many ? o->many : o->one, many ? "are" : "is", tint_name(g->color));
    tell_say(word, "%s", tint_name(g->color));
    return true;
}

static bool ask_where(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    const group *g = &s->group[dice_below(d, s->n_groups)];
    if (g->count > 1 || groups_of(s, g->concept) > 1) return false;
    const concept_row *o = &k->concept[g->concept];
    tell_say(q, dice_chance(d, 0.5) ? "Where is the %s?" : "Where in the picture is the %s?", o->one);
    tell_say(a, "The %s is %s.", o->one, tell_place(s->thing[g->first].cell));
    tell_say(word, "%s", tell_place(s->thing[g->first].cell));
    return true;
}

/* Two single things of different nouns that stand apart along one axis. */
static bool ask_relation(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word)
{
    int i = dice_below(d, s->n_groups), j = dice_below(d, s->n_groups);
    const group *g = &s->group[i], *h = &s->group[j];
    if (i == j || g->count > 1 || h->count > 1 || groups_of(s, g->concept) > 1 ||
        groups_of(s, h->concept) > 1)
        return false;
    const thing *p = &s->thing[g->first], *r = &s->thing[h->first];
    bool across = dice_chance(d, 0.5), yes;
    double gap = across ? r->x - p->x : r->y - p->y;
    if ((gap < 0 ? -gap : gap) < 0.2 * k->o->size) return false;
    bool before = dice_chance(d, 0.5);
    const char *side =
        across ? (before ? "to the left of" : "to the right of") : (before ? "above" : "below");
    const char *other =
        across ? (before ? "to the right of" : "to the left of") : (before ? "below" : "above");
    const char *one = k->concept[g->concept].one, *two = k->concept[h->concept].one;
    yes = before == (gap > 0);
    tell_say(q, "Is the %s %s the %s?", one, side, two);
    if (yes)
        tell_say(a, "Yes, the %s is %s the %s.", one, side, two);
    else
        tell_say(a, "No, the %s is %s the %s.", one, other, two);
    tell_say(word, yes ? "Yes" : "No");
    return true;
}

/* --- a conversation ---------------------------------------------------------------------------------------
 */

typedef bool (*asker)(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word);

static bool asked(tell_text *question, int n, const tell_text q)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(question[i], q)) return true;
    return false;
}

/* +1 for a question of presence_ask that is answered with yes, -1 with no, 0 for others. */
static int presence(const tell_text q, const tell_text a)
{
    return strncmp(q, "Is there", 8) ? 0 : a[0] == 'Y' ? 1 : -1;
}

typedef struct talk { tell_text *question, *answer; int n; bool brief; } talk; /* brief: answers are words */

/* Questions of these kinds until there are `most`. balanced: of questions whether something is there as many in a row
 * are answered yes as no, give or take one. */
static void ask_on(const kit *k, const scene *s, dice *d, const asker *kinds, int n_kinds, int most, bool balanced,
                   talk *t)
{
    int yes = 0, asks = 0;
    for (int tries = 0; tries < 40 && t->n < most; tries++) {
        tell_text a, word, *question = &t->question[t->n];
        asker ask = kinds[dice_below(d, n_kinds)];
        if (!ask(k, s, d, *question, a, word) || asked(t->question, t->n, *question)) continue;
        capital(word);
        int p = presence(*question, a);
        if (balanced && p && (asks == 2 * s->n_groups || yes + p > 1 || yes + p < -1)) continue;
        strcpy(t->answer[t->n++], t->brief ? word : a);
        yes += p, asks += p != 0;
    }
}

void tell_turns(const kit *k, const scene *s, dice *d, tell_text question[TELL_TURNS],
                tell_text answer[TELL_TURNS], int *n_p)
{
    static const asker kinds[] = { presence_ask, presence_ask, ask_color, ask_color,    ask_where,
                                   ask_where,    ask_count,    ask_count, ask_relation, ask_all };
    talk t = { question, answer, 0, false };
    tell_text word;
    int most = 3 + dice_below(d, TELL_TURNS - 2);
    if (dice_chance(d, 0.7)) t.n += ask_what(k, s, d, question[0], answer[0], word);
    ask_on(k, s, d, kinds, sizeof kinds / sizeof *kinds, most, true, &t);
    if (!t.n) t.n += ask_what(k, s, d, question[0], answer[0], word);
    *n_p = t.n;
}

/* Whether things are there comes first: other questions name what is there. */
void tell_words(const kit *k, const scene *s, dice *d, tell_text question[TELL_WORDS], tell_text answer[TELL_WORDS],
                int *n_p)
{
    static const asker then[] = { ask_color, ask_count, ask_where, ask_all };
    talk t = { question, answer, 0, true };
    t.n = presence_ask_all(k, s, d, TELL_WORDS - 1, false, question, answer);
    ask_on(k, s, d, then, sizeof then / sizeof *then, t.n + 1, false, &t);
    *n_p = t.n;
}
