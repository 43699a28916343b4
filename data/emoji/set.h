/* Inside the builder of the emoji data: pictures, their concepts, the languages, and who is held out. */
#ifndef IVL_DATA_EMOJI_SET_H
#define IVL_DATA_EMOJI_SET_H

#include "data/emoji/concept.h"
#include "data/emoji/emoji.h"
#include "data/emoji/font.h"
#include "runtime/rng.h"

typedef struct ivl_emoji_picture {
    char           sequence[IVL_EMOJI_MAX * 4 + 1]; /* UTF-8 without U+FE0F */
    char           key[IVL_EMOJI_KEY];
    const uint8_t *png; /* the font's */
    size_t         png_bytes;
    uint32_t       cp[IVL_EMOJI_MAX];
    int            n_cp, concept;
    uint64_t       hash; /* of the key: what random draws count by */
    char          *english;
    bool           probe;   /* a training picture with held-out captions */
    bool           foreign; /* a probe that is in val_languages too */
} ivl_emoji_picture;

typedef enum ivl_emoji_kind {
    IVL_EMOJI_THING,
    IVL_EMOJI_PEOPLE,
    IVL_EMOJI_FLAG,
    IVL_EMOJI_KINDS
} ivl_emoji_kind;

typedef struct ivl_emoji_concept {
    int            picture, pictures; /* the one that names it; how many */
    ivl_emoji_kind kind;
    bool           held_out;
    double         draw; /* in [0, 1): the lowest of a kind are held out */
} ivl_emoji_concept;

typedef struct ivl_emoji_language {
    char   lang[24], script[5];
    bool   held_out, script_trained;
    char **name, **keywords; /* [pictures]; NULL where there is none. Keywords as CLDR writes them */
    int    names;            /* how many are not NULL */
    ivl_rng rng;             /* whose draws withhold names */
} ivl_emoji_language;

typedef struct ivl_emoji_set {
    ivl_emoji_font     *font;
    ivl_emoji_picture  *picture; /* sorted by sequence */
    ivl_emoji_concept  *concept;
    ivl_emoji_language *language; /* sorted */
    int                 n, n_concepts, n_languages, same_drawing;
} ivl_emoji_set;

/* Every sequence that English names and the font draws; its concepts. */
ivl_status ivl_emoji_set_open(const char *font, const char *cldr, ivl_emoji_set *set_p);
void       ivl_emoji_set_close(ivl_emoji_set *set); /* accepts a zeroed one */
/* Its second half: joins pictures of equal base, or of equal bytes, into concepts. */
ivl_status ivl_emoji_set_group(ivl_emoji_set *set);
/* Index of a sequence, -1 if it is none of the set's. */
int        ivl_emoji_set_find(const ivl_emoji_set *set, const char *sequence);

/* Lists as in ivl_emoji_options. "all": those that name four fifths of the pictures, and no relative of a
 * held-out one (zh_Hant is a relative of zh). */
ivl_status ivl_emoji_languages_open(ivl_emoji_set *set, const char *cldr, const char *trained,
                                    const char *held_out);

/* --- who is held out: a pure function of the seed, and for a picture of its key ------------------------ */

ivl_status ivl_emoji_split(ivl_emoji_set *set, uint64_t seed);
/* The picture's name in the language is never trained with it. */
bool ivl_emoji_withheld(const ivl_emoji_set *set, int picture, int language);

/* --- captions ------------------------------------------------------------------------------------------ */

typedef enum ivl_emoji_part_id {
    IVL_EMOJI_TRAIN, IVL_EMOJI_VAL_CAPTIONS, IVL_EMOJI_VAL_CONCEPTS, IVL_EMOJI_VAL_LANGUAGES, IVL_EMOJI_PARTS
} ivl_emoji_part_id;

/* Hears the captions of a picture in a part, in order; keywords is false for names. */
typedef ivl_status (*ivl_emoji_hear)(void *ctx, int language, const char *text, bool keywords);
ivl_status ivl_emoji_captions(const ivl_emoji_set *set, int picture, ivl_emoji_part_id part,
                              ivl_emoji_hear hear, void *ctx);

/* "grinning face": the English name of the picture that stands for the concept. */
const char *ivl_emoji_concept_name(const ivl_emoji_set *set, int concept);

/* Writes splits.json: what each part of the report holds, the languages, the concepts held out.
 * captions[l][part]. */
typedef int64_t ivl_emoji_counts[IVL_EMOJI_PARTS];
ivl_status ivl_emoji_write_facts(const ivl_emoji_set *set, const ivl_emoji_options *o,
                                 const ivl_emoji_report *r, const ivl_emoji_counts *captions);

#endif
