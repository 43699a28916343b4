/* What is where in a scene: groups of one to five things, placed so that each stays recognisable. */
#include <string.h>

#include "data/scenes/kit.h"

enum { TRIES = 10000, PLACE_TRIES = 60 };
static const double PLAIN = 0.25, SAME_KIND = 0.5, TWIN = 0.12, OVERLAP = 0.12;

int dice_below(dice *d, int n) { return (int)ivl_rng_below(d->rng, d->scene, d->turn++, 0, (uint64_t)n); }
double dice_between(dice *d, double a, double b)
{
    return a + (b - a) * ivl_rng_uniform(d->rng, d->scene, d->turn++, 0);
}
bool dice_chance(dice *d, double p) { return ivl_rng_uniform(d->rng, d->scene, d->turn++, 0) < p; }

int scene_count_of(const scene *s, int concept)
{
    int n = 0;
    for (int g = 0; g < s->n_groups; g++)
        if (s->group[g].concept == concept) n += s->group[g].count;
    return n;
}

int scene_concepts(const scene *s, int c[SCENE_GROUPS])
{
    int n = 0;
    for (int g = 0; g < s->n_groups; g++) {
        bool known = false;
        for (int i = 0; i < n; i++) known |= c[i] == s->group[g].concept;
        if (!known) c[n++] = s->group[g].concept;
    }
    return n;
}

/* --- what ----------------------------------------------------------------------------------------------- */

int scene_pick(const kit *k, dice *d, int category)
{
    const double *sum = category < 0 ? k->chance : k->chance_of + (size_t)category * (size_t)k->n_concepts;
    int lo = 0, hi = k->n_concepts - 1;
    if (sum[hi] <= 0) return scene_pick(k, d, -1); /* all of the category is held out */
    double x = dice_between(d, 0, sum[hi]);
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (sum[mid] > x)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static int pick_held_out(const kit *k, dice *d)
{
    int n = 0;
    for (int i = 0; i < k->n_concepts; i++) n += k->concept[i].held_out;
    int at = dice_below(d, n);
    for (int i = 0; i < k->n_concepts; i++)
        if (k->concept[i].held_out && at-- == 0) return i;
    return 0;
}

/* A drawing of the concept, perhaps in another colour. */
static void pick_look(const kit *k, dice *d, int concept, group *g)
{
    g->concept = concept;
    g->drawing = k->concept[concept].first + dice_below(d, k->concept[concept].n);
    const drawing *w = &k->drawing[g->drawing];
    g->turn = TINT_NONE;
    if (w->n_other && dice_chance(d, 0.6)) g->turn = w->other[dice_below(d, w->n_other)];
    g->color = g->turn != TINT_NONE ? g->turn : w->own;
}

/* The same noun twice only in two colours that can be told: a red car and a blue car. */
static bool clashes(const scene *s, int n, const group *g)
{
    for (int i = 0; i < n; i++) {
        const group *h = &s->group[i];
        if (h->concept != g->concept) continue;
        if (h->color == g->color || h->color == TINT_NONE || g->color == TINT_NONE) return true;
    }
    return false;
}

static void draw_counts(dice *d, scene *s)
{
    static const double share[SCENE_OBJECTS] = { 0.18, 0.48, 0.73, 0.89, 1 };
    double x = dice_between(d, 0, 1);
    s->n_things = 1;
    while (share[s->n_things - 1] <= x && s->n_things < SCENE_OBJECTS) s->n_things++;
    int most = s->n_things < SCENE_GROUPS ? s->n_things : SCENE_GROUPS;
    s->n_groups = most == 1 ? 1 : dice_chance(d, 0.2) ? 1 : most == 2 ? 2 : 2 + dice_below(d, 2);
    for (int g = 0; g < s->n_groups; g++) s->group[g].count = 1;
    for (int extra = s->n_things - s->n_groups; extra > 0; extra--)
        s->group[dice_below(d, s->n_groups)].count++;
}

static void draw_groups(const kit *k, ivl_scenes_part part, dice *d, scene *s)
{
    draw_counts(d, s);
    int odd = part == IVL_SCENES_OBJECTS ? dice_below(d, s->n_groups) : -1; /* the one never trained */
    for (int g = 0; g < s->n_groups; g++) {
        group next = { .count = s->group[g].count };
        do {
            int like =
                g && dice_chance(d, SAME_KIND) ? k->concept[s->group[dice_below(d, g)].concept].category : -1;
            int c = g == odd ? pick_held_out(k, d) : scene_pick(k, d, like);
            if (g && g != odd && dice_chance(d, TWIN) && !k->concept[s->group[g - 1].concept].held_out)
            c = s->group[g - 1].concept;
            pick_look(k, d, c, &next);
        } while (clashes(s, g, &next));
        s->group[g] = next;
    }
}

/* --- where ---------------------------------------------------------------------------------------------- */

static int cell_of(double x, double y, double size)
{
    double a = x / size, b = y / size;
    return 3 * (b < 0.38 ? 0 : b > 0.62 ? 2 : 1) + (a < 0.38 ? 0 : a > 0.62 ? 2 : 1);
}

static double share_covered(const thing *a, const thing *b)
{
    double w = (a->w + b->w) / 2 - (a->x > b->x ? a->x - b->x : b->x - a->x);
    double h = (a->h + b->h) / 2 - (a->y > b->y ? a->y - b->y : b->y - a->y);
    double p = a->w * a->h, q = b->w * b->h;
    double dw = a->w < b->w ? a->w : b->w, dh = a->h < b->h ? a->h : b->h;
    if (w <= 0 || h <= 0) return 0;
    return (w < dw ? w : dw) * (h < dh ? h : dh) / (p < q ? p : q);
}

static bool fits(const scene *s, int n, const thing *t)
{
    for (int i = 0; i < n; i++)
        if (share_covered(&s->thing[i], t) > OVERLAP) return false;
    return true;
}

/* Size of things by how many there are: shares of the picture's side. */
static void draw_size(const kit *k, dice *d, const scene *s, const group *g, double shrink, thing *t)
{
    static const double least[SCENE_OBJECTS] = { 0.42, 0.36, 0.33, 0.31, 0.29 },
                        most[SCENE_OBJECTS] = { 0.75, 0.54, 0.46, 0.40, 0.36 };
    const drawing *w = &k->drawing[g->drawing];
    double side = k->o->size * shrink * dice_between(d, least[s->n_things - 1], most[s->n_things - 1]);
    double scale = side / (w->w > w->h ? w->w : w->h);
    double tilt = k->concept[g->concept].upright ? 0 : dice_between(d, -0.09, 0.09);
    double c = (1 - tilt * tilt) / (1 + tilt * tilt), e = 2 * (tilt < 0 ? -tilt : tilt) / (1 + tilt * tilt);
    t->tilt = tilt;
    t->mirror = k->concept[g->concept].mirror && dice_chance(d, 0.5);
    t->w = scale * (c * w->w + e * w->h), t->h = scale * (e * w->w + c * w->h);
}

static bool place_one(const kit *k, dice *d, scene *s, int i, int g, double shrink)
{
    double size = k->o->size;
    for (int n = 0; n < PLACE_TRIES; n++) {
        thing t = { .group = g };
        draw_size(k, d, s, &s->group[g], shrink, &t);
        t.x = dice_between(d, t.w / 2 + 1, size - t.w / 2 - 1),
        t.y = dice_between(d, t.h / 2 + 1, size - t.h / 2 - 1);
        t.cell = cell_of(t.x, t.y, size);
        if (!fits(s, i, &t)) continue;
        s->thing[i] = t;
        return true;
    }
    return false;
}

static bool place_all(const kit *k, dice *d, scene *s, double shrink)
{
    int i = 0;
    for (int g = 0; g < s->n_groups; g++) {
        s->group[g].first = i;
        for (int n = 0; n < s->group[g].count; n++, i++)
            if (!place_one(k, d, s, i, g, shrink)) return false;
    }
    return true;
}

/* Does the scene hold a thing at a place, or in a number, that training never shows? */
static bool has_held_out_combo(const kit *k, const scene *s)
{
    for (int g = 0; g < s->n_groups; g++) {
        const concept_row *c = &k->concept[s->group[g].concept];
        if (c->held_out) continue;
        if (c->count_held >> scene_count_of(s, s->group[g].concept) & 1) return true;
        for (int i = 0; i < s->group[g].count; i++)
            if (c->place_held >> s->thing[s->group[g].first + i].cell & 1) return true;
    }
    return false;
}

/* --- behind --------------------------------------------------------------------------------------------- */

static bool plain_held_out(const kit *k, const uint8_t rgb[3])
{
    uint64_t cell = (uint64_t)(rgb[0] >> 6) << 4 | (uint64_t)(rgb[1] >> 6) << 2 | rgb[2] >> 6;
    return ivl_rng_uniform(ivl_rng_make(k->o->seed, "scenes:plain"), 0, 0, cell) < 0.15;
}

static void draw_back(const kit *k, ivl_scenes_part part, dice *d, scene *s)
{
    bool unseen = part == IVL_SCENES_BACKS;
    int n = 0;
    for (int i = 0; i < k->n_backs; i++) n += k->back[i].held_out == unseen;
    s->back = -1;
    if (n && !dice_chance(d, PLAIN)) {
        int at = dice_below(d, n);
        while (at >= 0) at -= k->back[++s->back].held_out == unseen;
        return;
    }
    for (int e = 0; e < 2; e++)
        for (int tries = 0; tries < TRIES; tries++) {
            for (int c = 0; c < 3; c++) s->plain[e][c] = (uint8_t)(16 + dice_below(d, 224));
            if (plain_held_out(k, s->plain[e]) == unseen) break;
        }
}

void scene_draw(const kit *k, ivl_scenes_part part, dice *d, scene *s)
{
    bool combo = part == IVL_SCENES_COMBOS;
    for (int n = 0;; n++) {
        memset(s, 0, sizeof *s);
        draw_groups(k, part, d, s);
        double shrink = 1;
        while (!place_all(k, d, s, shrink)) shrink *= 0.95;
        if (has_held_out_combo(k, s) == combo || n == TRIES) break;
    }
    draw_back(k, part, d, s);
}
