/* The concepts of objects.def with their drawings: named by CLDR, drawn by the emoji font, held out as `ivl
 * data emoji` of the same seed holds out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/emoji/set.h"
#include "data/scenes/kit.h"

enum { CONCEPTS_MOST = 254 };

typedef struct category_row {
    const char *name, *sequences;
    int colors;
} category_row;
static const category_row categories[] = {
#define CATEGORY(name, colors, sequences) { #name, sequences, colors },
#include "data/scenes/objects.def"
};
enum { CATEGORIES = sizeof categories / sizeof *categories };

typedef struct naming {
    const char *sequences, *one, *many;
} naming;
static const naming namings[] = {
#define NAME(sequences, one, many) { sequences, one, many },
#include "data/scenes/objects.def"
};

const char *kit_category_name(int c) { return categories[c].name; }
int kit_categories(void) { return CATEGORIES; }

uint64_t scenes_hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h ^ h >> 31;
}

/* --- names ---------------------------------------------------------------------------------------------- */

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n > m && !strcmp(text + n - m, with);
}

static void plural_of(const char *one, char many[44])
{
    size_t n = strlen(one);
    bool y = n > 1 && one[n - 1] == 'y' && !strchr("aeiou", one[n - 2]);
    bool es = ends(one, "s") || ends(one, "x") || ends(one, "sh") || ends(one, "ch") || ends(one, "tato") ||
              ends(one, "mato") || ends(one, "mango");
    if (y)
        snprintf(many, 44, "%.*sies", (int)n - 1, one);
    else
        snprintf(many, 44, "%s%s", one, es ? "es" : "s");
}

/* "red heart" -> "heart", "cow face" -> "cow", "woman’s boot" as it is. */
static void plain_name(const char *cldr, char one[40])
{
    tint t = tint_in_name(cldr);
    size_t skip =
        t != TINT_NONE && !strncmp(cldr, tint_name(t), strlen(tint_name(t))) ? strlen(tint_name(t)) + 1 : 0;
    snprintf(one, 40, "%s", cldr + skip);
    if (ends(one, " face")) one[strlen(one) - 5] = 0;
}

static void name_concept(const char *sequence, const char *cldr, concept_row *c)
{
    const naming *found = NULL;
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++)
        if (strstr(namings[i].sequences, sequence)) found = &namings[i];
    if (found)
        snprintf(c->one, sizeof c->one, "%s", found->one);
    else
        plain_name(cldr, c->one);
    if (found && found->many)
        snprintf(c->many, sizeof c->many, "%s", found->many);
    else
        plural_of(c->one, c->many);
    c->hash = scenes_hash(c->one);
}

/* --- concepts ------------------------------------------------------------------------------------------- */

static int find_concept(const kit *k, const char *one)
{
    for (int i = 0; i < k->n_concepts; i++)
        if (!strcmp(k->concept[i].one, one)) return i;
    return -1;
}

typedef struct wanted {
    char sequence[8];
    int picture, concept;
} wanted;
typedef struct list {
    wanted *v;
    int n;
} list;

/* Every emoji of a category that the font draws and CLDR names; its concept, new or known. */
static ivl_status list_category(kit *k, const ivl_emoji_set *set, int category, list *l)
{
    const char *at = categories[category].sequences;
    while (*at) {
        wanted w = { .sequence = "" };
        int n = 1;
        while ((at[n] & 0xc0) == 0x80) n++;
        memcpy(w.sequence, at, (size_t)n);
        at += n;
        w.picture = ivl_emoji_set_find(set, w.sequence);
        if (w.picture < 0) continue; /* a font may be older than our list */
        concept_row c = { .category = category,
                          .colors = categories[category].colors,
                          .mirror = category < 4,
                          .upright = !strcmp(categories[category].name, "shape") };
        name_concept(w.sequence, set->picture[w.picture].english, &c);
        w.concept = find_concept(k, c.one);
        if (w.concept < 0) {
            IVL_CHECK(k->n_concepts < CONCEPTS_MOST, IVL_EINVAL, "objects.def has more than %d concepts",
                      CONCEPTS_MOST);
            c.held_out = set->concept[set->picture[w.picture].concept].held_out;
            w.concept = k->n_concepts;
            k->concept[k->n_concepts++] = c;
        }
        l->v[l->n++] = w;
    }
    return IVL_OK;
}

static int by_concept(const void *a, const void *b)
{
    const wanted *x = a, *y = b;
    return x->concept != y->concept ? x->concept - y->concept : x->picture - y->picture;
}

static ivl_status draw_all(kit *k, const ivl_emoji_set *set, list *l)
{
    qsort(l->v, (size_t)l->n, sizeof *l->v, by_concept);
    for (int i = 0; i < l->n; i++) {
        const ivl_emoji_picture *p = &set->picture[l->v[i].picture];
        uint8_t *rgba = NULL;
        int w = 0, h = 0;
        IVL_TRY(ivl_png_decode_rgba(p->png, p->png_bytes, p->english, &rgba, &w, &h));
        ivl_status s = kit_add_drawing(k, l->v[i].concept, rgba, w, h, tint_in_name(p->english));
        free(rgba);
        IVL_TRY(s);
    }
    return IVL_OK;
}

static ivl_status list_all(kit *k, const ivl_emoji_set *set)
{
    size_t room = 1;
    for (int c = 0; c < CATEGORIES; c++) room += strlen(categories[c].sequences);
    list l = { calloc(room, sizeof *l.v), 0 };
    k->concept = calloc(CONCEPTS_MOST, sizeof *k->concept);
    ivl_status s = l.v && k->concept ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int c = 0; s == IVL_OK && c < CATEGORIES; c++) s = list_category(k, set, c, &l);
    if (s == IVL_OK) s = draw_all(k, set, &l);
    free(l.v);
    return s;
}

/* --- frequencies, splits -------------------------------------------------------------------------------- */

typedef struct ranked {
    double draw;
    int concept;
} ranked;

static int by_draw(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->draw < y->draw ? -1 : x->draw > y->draw ? 1 : x->concept - y->concept;
}

static void rank_concepts(kit *k)
{
    ivl_rng r = ivl_rng_make(k->o->seed, "scenes:rank"), place = ivl_rng_make(k->o->seed, "scenes:place"),
            count = ivl_rng_make(k->o->seed, "scenes:count");
    ranked v[CONCEPTS_MOST];
    for (int i = 0; i < k->n_concepts; i++) {
        concept_row *c = &k->concept[i];
        v[i] = (ranked){ ivl_rng_uniform(r, 0, 0, c->hash), i };
        for (uint32_t b = 0; b < 9; b++)
            if (ivl_rng_uniform(place, b, 0, c->hash) < 0.12) c->place_held |= 1u << b;
        for (uint32_t b = 2; b <= SCENE_OBJECTS; b++)
            if (ivl_rng_uniform(count, b, 0, c->hash) < 0.15) c->count_held |= 1u << b;
    }
    if (k->n_concepts) qsort(v, (size_t)k->n_concepts, sizeof *v, by_draw);
    for (int i = 0; i < k->n_concepts; i++) k->concept[v[i].concept].rank = i;
}

/* Drops what `objects` leaves no room for, and what has no drawing; numbers the rest anew. */
static void keep_some(kit *k)
{
    int to[CONCEPTS_MOST], n = 0, most = k->o->objects ? k->o->objects : CONCEPTS_MOST;
    for (int i = 0; i < k->n_concepts; i++) k->concept[i].n = 0;
    for (int i = 0; i < k->n_drawings; i++) k->concept[k->drawing[i].concept].n++;
    for (int i = 0; i < k->n_concepts; i++) {
        to[i] = k->concept[i].n && k->concept[i].rank < most ? n : -1;
        if (to[i] >= 0) k->concept[n++] = k->concept[i];
    }
    k->n_concepts = n;
    n = 0;
    for (int i = 0; i < k->n_drawings; i++) {
        drawing d = k->drawing[i];
        if (to[d.concept] < 0) {
            for (int l = 0; l < LEVELS; l++) free(d.level[l]);
            continue;
        }
        d.concept = to[d.concept];
        if (!n || k->drawing[n - 1].concept != d.concept) k->concept[d.concept].first = n;
        k->drawing[n++] = d;
    }
    k->n_drawings = n;
}

/* One thing is named more often than another, as in the world: 1 / (20 + rank). */
static ivl_status weigh(kit *k)
{
    size_t n = (size_t)k->n_concepts;
    k->n_categories = CATEGORIES;
    k->chance = calloc(n + 1, sizeof *k->chance);
    k->chance_of = calloc(n * CATEGORIES + 1, sizeof *k->chance_of);
    IVL_CHECK(k->chance && k->chance_of, IVL_ENOMEM, "out of memory");
    int trained = 0;
    for (int c = -1; c < CATEGORIES; c++) {
        double sum = 0, *to = c < 0 ? k->chance : k->chance_of + (size_t)c * n;
        for (size_t i = 0; i < n; i++) {
            const concept_row *q = &k->concept[i];
            if (!q->held_out && (c < 0 || q->category == c)) sum += 1.0 / (20 + q->rank), trained += c < 0;
            to[i] = sum;
        }
    }
    IVL_CHECK(trained >= 4 && trained < k->n_concepts, IVL_EINVAL,
              "%d concepts, %d of them to train on: scenes need more; raise --objects or take another --seed",
              k->n_concepts, trained);
    return IVL_OK;
}

static int by_owner(const void *a, const void *b)
{
    const drawing *x = a, *y = b;
    return x->concept != y->concept ? x->concept - y->concept : x->order - y->order;
}

static ivl_status fill(kit *k)
{
    ivl_emoji_set set = { 0 };
    IVL_TRY(ivl_emoji_set_open(k->o->font ? k->o->font : IVL_EMOJI_FONT,
                               k->o->cldr ? k->o->cldr : IVL_EMOJI_CLDR, &set));
    ivl_status s = ivl_emoji_split(&set, k->o->seed);
    if (s == IVL_OK) s = list_all(k, &set);
    ivl_emoji_set_close(&set);
    IVL_TRY(s);
    if (k->o->clipart) IVL_TRY(kit_add_clipart(k, k->o->clipart));
    rank_concepts(k);
    if (k->n_drawings) qsort(k->drawing, (size_t)k->n_drawings, sizeof *k->drawing, by_owner);
    keep_some(k);
    IVL_TRY(weigh(k));
    return kit_load_backdrops(k);
}

ivl_status kit_open(const ivl_scenes_options *o, kit *k_p)
{
    kit k = { .o = o };
    ivl_status s = fill(&k);
    if (s == IVL_OK)
        *k_p = k;
    else
        kit_close(&k);
    return s;
}

void kit_close(kit *k)
{
    for (int i = 0; i < k->n_drawings; i++)
        for (int l = 0; l < LEVELS; l++) free(k->drawing[i].level[l]);
    for (int i = 0; i < k->n_backs; i++) ivl_image_free(&k->back[i].im);
    free(k->drawing), free(k->concept), free(k->back), free(k->chance), free(k->chance_of);
    *k = (kit){ 0 };
}
