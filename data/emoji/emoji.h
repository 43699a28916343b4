/* The packaged training data: the drawings of Noto Color Emoji with their names in Unicode's CLDR, as
 * WebDataset shards. Both come from Debian packages (fonts-noto-color-emoji, unicode-cldr-core); nothing is
 * fetched.
 *
 * Written to `out`:
 *   train-000.tar ...     training concepts with every caption that is not held out
 *   val_captions.tar      seen pictures with names that were never shown with them
 *   val_concepts.tar      pictures of unseen concepts, named in the trained languages
 *   val_languages.tar     seen pictures, named in languages that were never trained
 *   corpus.txt            the training captions, one a line, for `ivl tokenizer train`
 *   splits.json           what is where: counts, languages with their scripts, held-out concepts
 * A record is KEY.png (the font's own bytes), KEY.txt (one caption) and KEY.json (all, with their languages).
 * KEY is the sequence in hexadecimal. The same options, font and CLDR give the same bytes. */
#ifndef IVL_DATA_EMOJI_EMOJI_H
#define IVL_DATA_EMOJI_EMOJI_H

#include <ivl/backend.h>

typedef struct ivl_emoji_options {
    const char *out;
    const char *font;      /* NULL: where Debian puts it */
    const char *cldr;      /* folder with annotations/ and annotationsDerived/; NULL: where Debian puts it */
    const char *languages; /* trained ones, "en,de", or "all"; NULL: IVL_EMOJI_LANGUAGES */
    const char *held_out;  /* languages only in val_languages; NULL: IVL_EMOJI_HELD_OUT; "": none */
    uint64_t    seed;      /* of the splits */
} ivl_emoji_options;

#define IVL_EMOJI_FONT "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
#define IVL_EMOJI_CLDR "/usr/share/unicode/cldr/common"
/* Twenty-five languages in sixteen scripts; to the held-out ones belong scripts that are trained and five
 * that are not. */
#define IVL_EMOJI_LANGUAGES "ar,bn,cs,de,el,en,es,fa,fr,he,hi,id,it,ja,ko,pl,pt,ru,sv,ta,th,tr,uk,vi,zh"
#define IVL_EMOJI_HELD_OUT "am,bg,da,hy,ka,km,mr,nl,te,ur,yue"

typedef struct ivl_emoji_part { int64_t records, captions, bytes; } ivl_emoji_part;
typedef struct ivl_emoji_report {
    int            pictures, concepts, held_out_concepts, languages, held_out_languages, shards;
    ivl_emoji_part part[4]; /* train, val_captions, val_concepts, val_languages */
} ivl_emoji_report;

ivl_status ivl_emoji_build(const ivl_emoji_options *o, ivl_emoji_report *report_p);

#endif
