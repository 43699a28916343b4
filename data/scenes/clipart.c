/* Clip art of the same nouns as further drawings: titles that are, case and numbers aside, a noun of ours. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "data/clipart/clipart.h"
#include "data/scenes/kit.h"

enum { SIDE = 128, EACH_MOST = 6 };

/* "Dog 2" is a dog; with a colour in front it is a drawing of that colour. */
static int concept_of(const kit *k, const char *title, tint *color_p)
{
    char lower[96];
    size_t n = 0;
    for (; title[n]; n++) lower[n] = (char)tolower((unsigned char)title[n]);
    while (n && (isdigit((unsigned char)lower[n - 1]) || lower[n - 1] == ' ')) n--;
    lower[n] = 0;
    tint t = tint_in_name(lower);
    const char *name = lower;
    size_t m = t == TINT_NONE ? 0 : strlen(tint_name(t));
    if (m && !strncmp(lower, tint_name(t), m) && lower[m] == ' ')
        name += m + 1;
    else
        t = TINT_NONE;
    for (int c = 0; c < k->n_concepts; c++)
        if (!strcmp(k->concept[c].one, name)) {
            *color_p = t;
            return c;
        }
    return -1;
}

/* A cut-out needs an outline: something around it is transparent, and not nearly all of it. */
static bool is_cutout(const uint8_t *rgba, int w, int h)
{
    int64_t opaque = 0, all = (int64_t)w * h;
    for (int64_t i = 0; i < all; i++) opaque += rgba[4 * i + 3] >= 128;
    return opaque * 100 > all * 15 && opaque * 100 < all * 92;
}

static ivl_status add_one(kit *k, const ivl_clipart *c, int i, int concept, tint color, int *added)
{
    uint8_t *rgba = NULL;
    int w = 0, h = 0;
    ivl_status s = ivl_clipart_picture(c, i, SIDE, &rgba, &w, &h);
    if (s == IVL_EFORMAT) return IVL_OK; /* damaged, or too large */
    IVL_TRY(s);
    bool thin = w > 4 * h || h > 4 * w;
    if (!thin && is_cutout(rgba, w, h)) {
        s = kit_add_drawing(k, concept, rgba, w, h, color);
        *added += 1;
    }
    free(rgba);
    return s;
}

ivl_status kit_add_clipart(kit *k, const char *dir)
{
    ivl_clipart c = { 0 };
    int *added = calloc((size_t)k->n_concepts + 1, sizeof *added);
    IVL_CHECK(added, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_clipart_open(dir, NULL, &c);
    for (int i = 0; s == IVL_OK && i < c.n; i++) {
        tint color;
        int concept = concept_of(k, c.item[i].title, &color);
        if (concept >= 0 && added[concept] < EACH_MOST)
            s = add_one(k, &c, i, concept, color, &added[concept]);
    }
    ivl_clipart_close(&c);
    free(added);
    return s;
}
