/* English for what a scene holds: groups, lists, places, captions. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/scenes/kit.h"

const char *tell_number(int n)
{
    static const char *const number[] = { "zero", "one", "two", "three", "four", "five" };
    return number[n];
}

void tell_say(tell_text to, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    vsnprintf(to, TELL_TEXT, fmt, list);
    va_end(list);
}

static void add(tell_text to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(tell_text to, const char *fmt, ...)
{
    size_t n = strlen(to);
    va_list list;
    va_start(list, fmt);
    vsnprintf(to + n, TELL_TEXT - n, fmt, list);
    va_end(list);
}

const char *tell_article(const char *noun)
{
    bool like_you = !strncmp(noun, "uni", 3) || !strncmp(noun, "eu", 2);
    return strchr("aeiou", noun[0]) && !like_you ? "an" : "a";
}

const char *tell_place(int cell)
{
    static const char *const place[9] = { "in the top left corner",
                                          "at the top",
                                          "in the top right corner",
                                          "on the left",
                                          "in the center",
                                          "on the right",
                                          "in the bottom left corner",
                                          "at the bottom",
                                          "in the bottom right corner" };
    return place[cell];
}

/* "red heart", "hearts" */
static void noun_of(const kit *k, const group *g, bool many, tell_text to)
{
    const concept_row *c = &k->concept[g->concept];
    to[0] = 0;
    if (g->color != TINT_NONE) add(to, "%s ", tint_name(g->color));
    add(to, "%s", many ? c->many : c->one);
}

void tell_group(const kit *k, const group *g, tell_text to)
{
    tell_text noun;
    noun_of(k, g, g->count > 1, noun);
    to[0] = 0;
    add(to, "%s %s", g->count > 1 ? tell_number(g->count) : tell_article(noun), noun);
}

void tell_what(const kit *k, const group *g, tell_text to)
{
    tell_text noun;
    noun_of(k, g, g->count > 1, noun);
    to[0] = 0;
    add(to, "the %s", noun);
}

static void join(tell_text *part, int n, tell_text to)
{
    to[0] = 0;
    for (int i = 0; i < n; i++) add(to, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", part[i]);
}

static void list_of(const kit *k, const scene *s, dice *d, tell_text to)
{
    tell_text part[SCENE_GROUPS];
    int turn = dice_below(d, s->n_groups); /* no order is the right one */
    for (int g = 0; g < s->n_groups; g++) tell_group(k, &s->group[(g + turn) % s->n_groups], part[g]);
    join(part, s->n_groups, to);
}

static bool has_cell(const scene *s, int g) { return s->group[g].count == 1; }
static int cell_of(const scene *s, int g) { return s->thing[s->group[g].first].cell; }

/* "a dog to the left of a cat", for two single things that stand clearly apart; false: there are none. */
static bool relation(const kit *k, const scene *s, dice *d, tell_text to)
{
    if (s->n_groups < 2 || !has_cell(s, 0) || !has_cell(s, 1)) return false;
    int a = dice_below(d, 2);
    const thing *p = &s->thing[s->group[a].first], *q = &s->thing[s->group[1 - a].first];
    double dx = q->x - p->x, dy = q->y - p->y, ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy;
    tell_text one, other;
    if ((ax > ay ? ax : ay) < 0.22 * k->o->size) return false;
    tell_group(k, &s->group[a], one), tell_group(k, &s->group[1 - a], other);
    to[0] = 0;
    add(to, "%s %s %s", one,
        ax > ay ? (dx > 0 ? "to the left of" : "to the right of") : (dy > 0 ? "above" : "below"), other);
    if (s->n_groups > 2) {
        tell_group(k, &s->group[2], one);
        add(to, dice_chance(d, 0.5) ? ", with %s" : ", and %s", one);
    }
    return true;
}

/* "a dog on the left and two hearts" */
static void places(const kit *k, const scene *s, dice *d, tell_text to)
{
    tell_text part[SCENE_GROUPS];
    int turn = dice_below(d, s->n_groups);
    for (int i = 0; i < s->n_groups; i++) {
        int g = (i + turn) % s->n_groups;
        tell_group(k, &s->group[g], part[i]);
        if (has_cell(s, g)) add(part[i], " %s", tell_place(cell_of(s, g)));
    }
    join(part, s->n_groups, to);
}

/* "two hearts and a dog, the dog on the left" */
static void list_and_place(const kit *k, const scene *s, dice *d, tell_text to)
{
    tell_text what;
    list_of(k, s, d, to);
    int turn = dice_below(d, s->n_groups);
    for (int i = 0; i < s->n_groups; i++) {
        int g = (i + turn) % s->n_groups;
        if (!has_cell(s, g)) continue;
        tell_what(k, &s->group[g], what);
        if (s->n_groups > 1)
            add(to, ", %s %s", what, tell_place(cell_of(s, g)));
        else
            add(to, " %s", tell_place(cell_of(s, g)));
        return;
    }
}

static void lead_in(const scene *s, dice *d, const tell_text list, tell_text to)
{
    const char *is = !strncmp(list, "a ", 2) || !strncmp(list, "an ", 3) ? "is" : "are";
    to[0] = 0;
    switch (dice_below(d, 6)) {
    case 5:
        add(to, "there %s %s", is, list);
        break;
    case 4:
        add(to, "here %s %s", is, list);
        break;
    case 3:
        add(to, s->n_things > 1 ? "%s in one picture" : "just %s", list);
        break;
    case 2:
        add(to, "a scene with %s", list);
        break;
    case 1:
        add(to, "an image of %s", list);
        break;
    default:
        add(to, "a picture of %s", list);
    }
}

/* First what tells most, then the plain list, then something else. */
void tell_captions(const kit *k, const scene *s, dice *d, tell_text caption[TELL_CAPTIONS], int *n_p)
{
    tell_text list;
    if (!dice_chance(d, 0.5) || !relation(k, s, d, caption[0])) {
        if (dice_chance(d, 0.5))
            places(k, s, d, caption[0]);
        else
            list_and_place(k, s, d, caption[0]);
    }
    list_of(k, s, d, caption[1]);
    list_of(k, s, d, list);
    lead_in(s, d, list, caption[2]);
    *n_p = TELL_CAPTIONS;
}

void tell_video(const kit *k, const scene *s, const int way[SCENE_GROUPS], dice *d, tell_text to)
{
    static const char *const move[] = { "moves from left to right", "moves from right to left", "moves down",
                                        "moves up", "stays where it is" };
    static const char *const also[] = { "the same way", "the other way" };
    bool swap = s->n_groups > 1 && dice_chance(d, 0.5);
    to[0] = 0;
    for (int i = 0; i < s->n_groups; i++) {
        int g = swap ? s->n_groups - 1 - i : i;
        tell_text what;
        tell_group(k, &s->group[g], what);
        bool both = i && way[0] < 4 && way[1] < 4 && dice_chance(d, 0.5);
        if (both)
            add(to, " while %s goes %s", what, also[way[0] != way[1]]);
        else
            add(to, "%s%s %s", i ? " while " : "", what, move[way[g]]);
    }
}
