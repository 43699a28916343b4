/* Scenes: cut-outs of emoji, and of clip art when given, on real backgrounds or plain ones, with everything that can be
 * said of them. Made of Debian packages (fonts-noto-color-emoji, unicode-cldr-core; backgrounds from those that are
 * installed); nothing is fetched.
 *
 * Written to `out`:
 *   train-000.tar ...      scenes to train on, 1000 a shard
 *   val_scenes.tar         new scenes of what was trained
 *   val_objects.tar        each shows something that no training scene shows
 *   val_combos.tar         each has a known thing at a place, or in a number, that it never had in training
 *   val_backgrounds.tar    known things on backgrounds never seen
 *   conversations_{train,val_...}.json   LLaVA's form; "image" is the member's name in its shard
 *   words_{train,val_...}.json           the same form, answers of a word or phrase
 *   reasons_{train,val_...}.json         the same form, what is seen, and whether something is there
 *   captions_{train,val_...}.json        the same form, one caption, as for LLaVA's first step
 *   pope_{random,popular,adversarial}.json             POPE's form, one question a line, about val_scenes
 *   videos_train.tar, videos_val.tar                   if videos are asked for
 *   corpus.txt             the training captions, one a line, each after the prefix that a trainer puts before texts
 *   classes.txt            line i is class i of the masks, beginning with 0, the background
 *   splits.json            counts, options, what is held out; written last
 * A record is KEY.jpg (or .png), KEY.txt (one caption), KEY.json (captions, objects with boxes) and KEY.mask.png (8-bit
 * gray, pixel = class). A video is KEY.jpg, its first frame, and KEY.001.jpg and so on. The same options, packages and
 * backgrounds give the same bytes. */
#ifndef IVL_DATA_SCENES_SCENES_H
#define IVL_DATA_SCENES_SCENES_H

#include <ivl/backend.h>

typedef struct ivl_scenes_options {
    const char *out;
    int64_t     pictures;       /* to train on */
    int64_t     val;            /* in each validation part */
    int64_t     videos, frames; /* to train on (a tenth more to validate); in each */
    int         size;           /* side in pixels */
    int         objects;        /* concepts at most; 0: all */
    bool        png;            /* pictures as PNG; else JPEG of quality 90 */
    const char *font, *cldr;    /* NULL: where Debian puts them */
    const char *backgrounds;    /* folders or files joined by ':'; NULL: where Debian puts them; "": plain ones only */
    const char *clipart;        /* folder of openclipart-png; NULL: none */
    uint64_t    seed;
} ivl_scenes_options;

#define IVL_SCENES_BACKGROUNDS "/usr/share/backgrounds:/usr/share/wallpapers"

typedef enum ivl_scenes_part {
    IVL_SCENES_TRAIN, IVL_SCENES_VAL, IVL_SCENES_OBJECTS, IVL_SCENES_COMBOS, IVL_SCENES_BACKS, IVL_SCENES_PARTS
} ivl_scenes_part;

typedef struct ivl_scenes_report {
    int     concepts, held_out_concepts, drawings, backgrounds, held_out_backgrounds, shards;
    int64_t records[IVL_SCENES_PARTS], bytes[IVL_SCENES_PARTS], questions[3], videos[2];
} ivl_scenes_report;

ivl_status ivl_scenes_build(const ivl_scenes_options *o, ivl_scenes_report *report_p);
const char *ivl_scenes_part_name(ivl_scenes_part part);

#endif
