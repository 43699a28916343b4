/* The pictures: what English CLDR names and the font draws; and the concepts they belong to. */
#include "data/emoji/set.h"

#include <stdlib.h>
#include <string.h>

#include "data/emoji/cldr.h"

/* --- pictures ------------------------------------------------------------------------------------------ */

typedef struct collector { ivl_emoji_set *set; int room; } collector;

/* FNV-1a */
static uint64_t hash_text(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

/* Without U+FE0F, which CLDR leaves out and a font's ligatures do not need. */
static void plain(const char *from, char *to)
{
    while (*from) {
        if (!strncmp(from, "\xef\xb8\x8f", 3)) from += 3;
        else *to++ = *from++;
    }
    *to = 0;
}

static ivl_status make_room(collector *c)
{
    if (c->set->n < c->room) return IVL_OK;
    int room = 2 * c->room + 1024;
    ivl_emoji_picture *more = realloc(c->set->picture, (size_t)room * sizeof *more);
    IVL_CHECK(more, IVL_ENOMEM, "out of memory");
    c->set->picture = more, c->room = room;
    return IVL_OK;
}

static ivl_status add_picture(void *ctx, const char *sequence, const char *text, bool is_name)
{
    collector *c = ctx;
    ivl_emoji_picture p = { 0 };
    if (!is_name || !(p.n_cp = ivl_emoji_decode(sequence, p.cp))) return IVL_OK;
    plain(sequence, p.sequence);
    p.png = ivl_emoji_font_png(c->set->font, p.sequence, &p.png_bytes);
    if (!p.png) return IVL_OK;
    ivl_emoji_key(p.cp, p.n_cp, p.key);
    p.hash = hash_text(p.key);
    IVL_TRY(make_room(c));
    IVL_CHECK(p.english = strdup(text), IVL_ENOMEM, "out of memory");
    c->set->picture[c->set->n++] = p;
    return IVL_OK;
}

static int by_sequence(const void *a, const void *b)
{
    return strcmp(((const ivl_emoji_picture *)a)->sequence, ((const ivl_emoji_picture *)b)->sequence);
}

/* Sorted, each once. */
static void sort_pictures(ivl_emoji_set *set)
{
    if (set->n) qsort(set->picture, (size_t)set->n, sizeof *set->picture, by_sequence);
    int n = 0;
    for (int i = 0; i < set->n; i++) {
        if (n && !by_sequence(&set->picture[n - 1], &set->picture[i])) free(set->picture[i].english);
        else set->picture[n++] = set->picture[i];
    }
    set->n = n;
}

int ivl_emoji_set_find(const ivl_emoji_set *set, const char *sequence)
{
    ivl_emoji_picture key;
    if (!set->n || strlen(sequence) >= sizeof key.sequence) return -1;
    plain(sequence, key.sequence);
    const ivl_emoji_picture *p = bsearch(&key, set->picture, (size_t)set->n, sizeof key, by_sequence);
    return p ? (int)(p - set->picture) : -1;
}

/* --- concepts ------------------------------------------------------------------------------------------ */

/* To sort pictures by what they share. */
typedef struct entry { int picture, n; uint32_t base[IVL_EMOJI_MAX]; const ivl_emoji_picture *p; } entry;

static int by_base(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int d = x->n != y->n ? x->n - y->n : memcmp(x->base, y->base, (size_t)x->n * sizeof *x->base);
    return d ? d : x->picture - y->picture;
}

static int compare_png(const entry *x, const entry *y)
{
    size_t a = x->p->png_bytes, b = y->p->png_bytes;
    return a != b ? a < b ? -1 : 1 : memcmp(x->p->png, y->p->png, a);
}

static int by_png(const void *a, const void *b)
{
    int d = compare_png(a, b);
    return d ? d : ((const entry *)a)->picture - ((const entry *)b)->picture;
}

/* Union-find; the smallest member stands for all. */
static int root_of(int *parent, int i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static void join(int *parent, int a, int b)
{
    a = root_of(parent, a), b = root_of(parent, b);
    if (a < b) parent[b] = a;
    else parent[a] = b;
}

static void join_equals(ivl_emoji_set *set, entry *e, int *parent)
{
    for (int i = 0; i < set->n; i++) {
        e[i].picture = i, e[i].p = &set->picture[i];
        e[i].n = ivl_emoji_base(e[i].p->cp, e[i].p->n_cp, e[i].base);
        parent[i] = i;
    }
    qsort(e, (size_t)set->n, sizeof *e, by_base);
    for (int i = 1; i < set->n; i++)
        if (e[i].n == e[i - 1].n && !memcmp(e[i].base, e[i - 1].base, (size_t)e[i].n * sizeof *e->base))
            join(parent, e[i - 1].picture, e[i].picture);
    qsort(e, (size_t)set->n, sizeof *e, by_png);
    for (int i = 1; i < set->n; i++) {
        if (compare_png(&e[i - 1], &e[i])) continue;
        join(parent, e[i - 1].picture, e[i].picture);
        set->same_drawing++;
    }
}

static bool is_base(const ivl_emoji_picture *p)
{
    uint32_t base[IVL_EMOJI_MAX];
    int n = ivl_emoji_base(p->cp, p->n_cp, base);
    return n == p->n_cp && !memcmp(base, p->cp, (size_t)n * sizeof *base);
}

/* Numbers concepts by their first picture; the first that is its own base names them. */
static void number_concepts(ivl_emoji_set *set, int *parent)
{
    for (int i = 0; i < set->n; i++) {
        ivl_emoji_picture *p = &set->picture[i];
        int root = root_of(parent, i);
        p->concept = root == i ? set->n_concepts++ : set->picture[root].concept;
        ivl_emoji_concept *c = &set->concept[p->concept];
        if (root == i) *c = (ivl_emoji_concept){ .picture = i };
        if (!is_base(&set->picture[c->picture]) && is_base(p)) c->picture = i;
        if (ivl_emoji_is_flag(p->cp, p->n_cp)) c->kind = IVL_EMOJI_FLAG;
        else if (ivl_emoji_has_tone(p->cp, p->n_cp)) c->kind = IVL_EMOJI_PEOPLE;
        c->pictures++;
    }
}

ivl_status ivl_emoji_set_group(ivl_emoji_set *set)
{
    size_t n = (size_t)set->n + 1;
    entry *e = calloc(n, sizeof *e);
    int *parent = calloc(n, sizeof *parent);
    set->concept = calloc(n, sizeof *set->concept);
    ivl_status s = IVL_OK;
    if (e && parent && set->concept) {
        join_equals(set, e, parent);
        number_concepts(set, parent);
    } else {
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    free(e), free(parent);
    return s;
}

const char *ivl_emoji_concept_name(const ivl_emoji_set *set, int concept)
{
    return set->picture[set->concept[concept].picture].english;
}

/* --- life ---------------------------------------------------------------------------------------------- */

static ivl_status fill(ivl_emoji_set *set, const char *font, const char *cldr)
{
    char **lang = NULL;
    int n = 0;
    IVL_TRY(ivl_cldr_languages(cldr, &lang, &n)); /* is it CLDR at all? */
    ivl_cldr_languages_free(lang, n);
    IVL_TRY(ivl_emoji_font_open(font, &set->font));
    IVL_TRY(ivl_cldr_read(cldr, "en", add_picture, &(collector){ set, 0 }));
    IVL_CHECK(set->n, IVL_EFORMAT, "%s draws nothing that %s names", font, cldr);
    sort_pictures(set);
    return ivl_emoji_set_group(set);
}

ivl_status ivl_emoji_set_open(const char *font, const char *cldr, ivl_emoji_set *set_p)
{
    ivl_emoji_set set = { 0 };
    ivl_status s = fill(&set, font, cldr);
    if (s == IVL_OK) *set_p = set;
    else ivl_emoji_set_close(&set);
    return s;
}

void ivl_emoji_set_close(ivl_emoji_set *set)
{
    for (int l = 0; l < set->n_languages; l++) {
        ivl_emoji_language *lang = &set->language[l];
        for (int i = 0; lang->name && i < set->n; i++) free(lang->name[i]);
        for (int i = 0; lang->keywords && i < set->n; i++) free(lang->keywords[i]);
        free(lang->name), free(lang->keywords);
    }
    for (int i = 0; i < set->n; i++) free(set->picture[i].english);
    free(set->language), free(set->concept), free(set->picture);
    ivl_emoji_font_close(set->font);
    *set = (ivl_emoji_set){ 0 };
}
