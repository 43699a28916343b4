/* Base concepts. Unicode builds pictures of people from parts joined by U+200D: a person, then what makes it
 * a profession, a gender sign, hair, a direction. What only varies the person is taken away; what says whom
 * or what the picture shows stays. Single code points that vary in gender or direction alone come from a
 * table. */
#include "data/emoji/concept.h"

#include <stdio.h>
#include <string.h>

enum {
    JOINER = 0x200d, VARIANT = 0xfe0f, TONE_FIRST = 0x1f3fb, TONE_LAST = 0x1f3ff, HAIR_FIRST = 0x1f9b0,
    HAIR_LAST = 0x1f9b3, FEMALE = 0x2640, MALE = 0x2642, TO_RIGHT = 0x27a1, TO_LEFT = 0x2b05,
    PERSON = 0x1f9d1, CHILD = 0x1f9d2, BABY = 0x1f476, HEART = 0x2764, KISS_MARK = 0x1f48b,
    HANDSHAKE = 0x1f91d, FAMILY = 0x1f46a, HOLDING_HANDS = 0x1f46b, KISS = 0x1f48f, COUPLE = 0x1f491,
    HAND_RIGHT = 0x1faf1, REGION_FIRST = 0x1f1e6, REGION_LAST = 0x1f1ff, FLAG_WHITE = 0x1f3f3,
    FLAG_BLACK = 0x1f3f4, TREE = 0x1f384, CLAUS = 0x1f385
};

/* Code points first..last show what `base` shows, in another gender, direction or position of hands. */
static const struct { uint32_t first, last, base; } twins[] = {
    { 0x1f468, 0x1f469, PERSON },  /* man, woman */
    { 0x1f471, 0x1f471, PERSON },  /* blond hair */
    { 0x1f466, 0x1f467, CHILD },   /* boy, girl */
    { 0x1f474, 0x1f475, 0x1f9d3 }, /* old man, old woman */
    { 0x1f478, 0x1f478, 0x1fac5 }, { 0x1f934, 0x1f934, 0x1fac5 }, /* princess, prince: person with crown */
    { 0x1f57a, 0x1f57a, 0x1f483 }, /* man dancing: woman dancing */
    { 0x1f936, 0x1f936, CLAUS },   /* Mrs. Claus */
    { 0x1fac3, 0x1fac4, 0x1f930 }, /* pregnant man, person: woman */
    { 0x1f46c, 0x1f46d, HOLDING_HANDS },
    { 0x1f6b9, 0x1f6ba, 0x1f6bb }, /* men's, women's room: restroom */
    { HAIR_FIRST, HAIR_LAST, HAIR_FIRST }, { TONE_FIRST, TONE_LAST, TONE_FIRST }, /* swatches */
    { 0x2b06, 0x2b07, TO_RIGHT }, { TO_LEFT, TO_LEFT, TO_RIGHT }, { 0x2196, 0x2199, TO_RIGHT }, /* arrows */
    { 0x2195, 0x2195, 0x2194 }, { 0x21aa, 0x21aa, 0x21a9 }, { 0x2934, 0x2935, 0x21a9 },
    { 0x25c0, 0x25c0, 0x25b6 }, { 0x1f53c, 0x1f53d, 0x25b6 }, { 0x23ea, 0x23ec, 0x23e9 },
    { 0x23ee, 0x23ee, 0x23ed },
    { 0x1f446, 0x1f448, 0x1f449 }, /* backhand index */
    { 0x1f44e, 0x1f44e, 0x1f44d }, /* thumbs */
    { 0x1f91c, 0x1f91c, 0x1f91b }, { 0x1faf2, 0x1faf2, HAND_RIGHT }, { 0x1faf4, 0x1faf4, 0x1faf3 },
    { 0x1f50e, 0x1f50e, 0x1f50d }, /* magnifying glass */
    { 0x1f53b, 0x1f53b, 0x1f53a }, /* red triangle */
    { 0x1f643, 0x1f643, 0x1f642 }, /* upside-down face */
    { 0x1f316, 0x1f316, 0x1f314 }, { 0x1f317, 0x1f317, 0x1f313 }, { 0x1f318, 0x1f318, 0x1f312 }, /* moon */
    { 0x1f31c, 0x1f31c, 0x1f31b },
    { 0x1f550, 0x1f567, 0x1f550 }, /* clock faces: hands in other directions */
};

static uint32_t twin(uint32_t c)
{
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (c >= twins[i].first && c <= twins[i].last) return twins[i].base;
    return c;
}

static bool within(uint32_t c, uint32_t first, uint32_t last) { return c >= first && c <= last; }

int ivl_emoji_decode(const char *utf8, uint32_t cp[IVL_EMOJI_MAX])
{
    int n = 0;
    for (const unsigned char *s = (const unsigned char *)utf8; *s;) {
        int more = *s < 0x80 ? 0 : *s < 0xc2 ? -1 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf5 ? 3 : -1;
        if (more < 0) return 0;
        uint32_t c = more ? *s & (0x3fu >> more) : *s;
        for (s++; more > 0; more--, s++) {
            if ((*s & 0xc0) != 0x80) return 0;
            c = c << 6 | (*s & 0x3fu);
        }
        if (c == VARIANT) continue;
        if (n == IVL_EMOJI_MAX || c > 0x10ffff) return 0;
        cp[n++] = c;
    }
    return n;
}

void ivl_emoji_key(const uint32_t *cp, int n, char key[IVL_EMOJI_KEY])
{
    char *to = key;
    *to = 0;
    for (int i = 0; i < n; i++) to += sprintf(to, i ? "-%x" : "%x", (unsigned)cp[i]);
}

bool ivl_emoji_is_flag(const uint32_t *cp, int n)
{
    if (n == 2 && within(cp[0], REGION_FIRST, REGION_LAST)) return true;
    return n > 1 && (cp[0] == FLAG_WHITE || cp[0] == FLAG_BLACK);
}

bool ivl_emoji_has_tone(const uint32_t *cp, int n)
{
    for (int i = 1; i < n; i++)
        if (within(cp[i], TONE_FIRST, TONE_LAST)) return true;
    return false;
}

/* Without skin tones, and without joined gender, hair and direction; twins replaced. */
static int strip(const uint32_t *cp, int n, uint32_t *to)
{
    int m = 0;
    for (int i = 0; i < n; i++) {
        if (i && within(cp[i], TONE_FIRST, TONE_LAST)) continue;
        uint32_t c = cp[i], next = i + 1 < n ? cp[i + 1] : 0;
        if (c == JOINER && m && (next == FEMALE || next == MALE || next == TO_RIGHT || next == TO_LEFT ||
                                 within(next, HAIR_FIRST, HAIR_LAST))) {
            i++;
            continue;
        }
        to[m++] = twin(c);
    }
    return m;
}

/* Several people, perhaps with a heart, a kiss or hands between them: what they are together, else 0. */
static uint32_t together(const uint32_t *cp, int n)
{
    uint32_t what = FAMILY;
    for (int i = 0; i < n; i++) {
        switch (cp[i]) {
        case JOINER: case PERSON: case CHILD: case BABY: break;
        case KISS_MARK: what = KISS; break;
        case HEART: what = what == KISS ? KISS : COUPLE; break;
        case HANDSHAKE: what = HOLDING_HANDS; break;
        default: return 0;
        }
    }
    return what;
}

int ivl_emoji_base(const uint32_t *cp, int n, uint32_t base[IVL_EMOJI_MAX])
{
    if (ivl_emoji_is_flag(cp, n)) {
        memcpy(base, cp, (size_t)n * sizeof *cp);
        return n;
    }
    n = strip(cp, n, base);
    if (n < 3 || base[1] != JOINER) return n;
    bool people = base[0] == PERSON;
    uint32_t group = people ? together(base, n) : 0;
    if (group) base[0] = group;
    else if (people && base[2] == TREE) base[0] = CLAUS;
    else if (people) return n; /* a profession */
    else if (base[0] == HAND_RIGHT) base[0] = HANDSHAKE;
    return 1;
}
