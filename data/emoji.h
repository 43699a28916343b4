/* The packaged training set: Debian's Noto Color Emoji drawings with their CLDR names, as WebDataset shards.
 * Splits are by base concept: skin tones, genders, hair, directions and the members of a family together, so no near
 * duplicate of a training picture is held out.
 *   train-NNN.tar       pictures of training concepts; names in trained languages, some withheld
 *   val_captions.tar    the same pictures with the withheld names
 *   val_concepts.tar    pictures of held-out concepts, trained languages
 *   val_languages.tar   pictures of training concepts, languages never trained
 *   corpus.txt          every training name, for a tokenizer; splits.json: counts, languages */
#ifndef IVL_DATA_EMOJI_H
#define IVL_DATA_EMOJI_H

#include <ivl/backend.h>

#define IVL_EMOJI_FONT "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
#define IVL_EMOJI_CLDR "/usr/share/unicode/cldr/common"

typedef struct ivl_emoji_options {
    const char *out, *font, *cldr;   /* font, cldr NULL: where Debian puts them */
    const char *languages;           /* comma list of trained ones; NULL: every one with 3,000 names */
    const char *held_out;            /* comma list of languages never trained; NULL: nl,bg,mr,ur,yue */
    uint64_t    seed;
    void      (*progress)(void *ctx, int64_t done, int64_t total);
    void       *ctx;
} ivl_emoji_options;

typedef struct ivl_emoji_counts { int pictures, train, concepts, held_concepts, languages, names, withheld; } ivl_emoji_counts;

ivl_status ivl_emoji_build(const ivl_emoji_options *o, ivl_emoji_counts *counts_p);

/* What pictures of one thing share, from the English name: "woman firefighter: dark skin tone" -> "firefighter". */
void ivl_emoji_concept(const char *english, char *concept, size_t n);

#endif
