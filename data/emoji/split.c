/* Who is held out. Every draw is a function of the seed and of names, not of positions: another language or a
 * newer font changes nothing for what was there before, but the exact share of held-out concepts. */
#include <stdio.h>
#include <stdlib.h>

#include "data/emoji/set.h"

/* One concept in ten, in each kind apart, so that flags and people are there in proportion. A concept with
 * more than a fiftieth of all pictures (a person, couples) would be most of its gallery, so it is always
 * trained. */
enum { HELD_OUT_PERCENT = 10, LARGEST_SHARE = 50, LARGEST_LEAST = 8 };
/* A third of the training pictures lose a third of their names; a third of these are asked for in other
 * languages. */
static const double PROBE = 1.0 / 3, WITHHELD = 1.0 / 3, FOREIGN = 1.0 / 9;

typedef struct candidate { double draw; int concept; } candidate;

static int by_draw(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return x->draw < y->draw ? -1 : x->draw > y->draw ? 1 : x->concept - y->concept;
}

/* The lowest draws of the kind. */
static void hold_out(ivl_emoji_set *set, ivl_emoji_kind kind, candidate *list)
{
    int most = set->n / LARGEST_SHARE > LARGEST_LEAST ? set->n / LARGEST_SHARE : LARGEST_LEAST, n = 0,
        all = 0;
    for (int c = 0; c < set->n_concepts; c++) {
        if (set->concept[c].kind != kind) continue;
        all++;
        if (set->concept[c].pictures <= most) list[n++] = (candidate){ set->concept[c].draw, c };
    }
    if (n) qsort(list, (size_t)n, sizeof *list, by_draw);
    int k = (all * HELD_OUT_PERCENT + 50) / 100;
    for (int i = 0; i < k && i < n; i++) set->concept[list[i].concept].held_out = true;
}

ivl_status ivl_emoji_split(ivl_emoji_set *set, uint64_t seed)
{
    candidate *list = calloc((size_t)set->n_concepts + 1, sizeof *list);
    IVL_CHECK(list, IVL_ENOMEM, "out of memory");
    ivl_rng concept = ivl_rng_make(seed, "emoji:concept"), probe = ivl_rng_make(seed, "emoji:probe");
    for (int c = 0; c < set->n_concepts; c++)
        set->concept[c].draw = ivl_rng_uniform(concept, 0, 0, set->picture[set->concept[c].picture].hash);
    for (int kind = 0; kind < IVL_EMOJI_KINDS; kind++) hold_out(set, (ivl_emoji_kind)kind, list);
    free(list);
    for (int i = 0; i < set->n; i++) {
        ivl_emoji_picture *p = &set->picture[i];
        double draw = set->concept[p->concept].held_out ? 1 : ivl_rng_uniform(probe, 0, 0, p->hash);
        p->probe = draw < PROBE, p->foreign = draw < FOREIGN;
    }
    for (int l = 0; l < set->n_languages; l++) {
        char stream[48];
        snprintf(stream, sizeof stream, "emoji:withhold:%s", set->language[l].lang);
        set->language[l].rng = ivl_rng_make(seed, stream);
    }
    return IVL_OK;
}

bool ivl_emoji_withheld(const ivl_emoji_set *set, int picture, int language)
{
    const ivl_emoji_picture *p = &set->picture[picture];
    const ivl_emoji_language *l = &set->language[language];
    return p->probe && !l->held_out && l->name[picture] && ivl_rng_uniform(l->rng, 0, 0, p->hash) < WITHHELD;
}
