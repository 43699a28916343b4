/* Inside the generator of scenes: what can be drawn, what a scene holds, how it is painted and told. */
#ifndef IVL_DATA_SCENES_KIT_H
#define IVL_DATA_SCENES_KIT_H

#include "data/image.h"
#include "data/scenes/scenes.h"
#include "runtime/rng.h"

/* --- dice: counter-based, one sequence a scene ----------------------------------------------------------- */

typedef struct dice { ivl_rng rng; uint32_t scene, turn; } dice;
int    dice_below(dice *d, int n);             /* 0..n-1 */
double dice_between(dice *d, double a, double b);
bool   dice_chance(dice *d, double p);
uint64_t scenes_hash(const char *text);

/* --- colours -------------------------------------------------------------------------------------------- */

typedef enum tint {
    TINT_NONE = -1, TINT_RED, TINT_ORANGE, TINT_YELLOW, TINT_GREEN, TINT_BLUE, TINT_PURPLE, TINT_PINK, TINT_BROWN,
    TINT_BLACK, TINT_WHITE, TINT_GRAY, TINTS,
    TINT_VIVID = TINT_PINK + 1 /* those below are what a hue alone makes */
} tint;
const char *tint_name(tint t);
tint        tint_in_name(const char *name); /* "red heart" */
/* The tint of most of rgba[n,4], if half of the opaque pixels have it; *hue_p is its mean hue, 0..1535. */
tint tint_of_pixels(const uint8_t *rgba, size_t n, int *hue_p);
/* Turns hues near `from` to those of tint `to`; other colours stay. */
void tint_turn(uint8_t rgb[3], int from, tint to);

/* --- what can be drawn ---------------------------------------------------------------------------------- */

enum { LEVELS = 5, TURNS = 8 };
/* A cut-out, trimmed, premultiplied, with halved copies. */
typedef struct drawing {
    uint8_t *level[LEVELS]; /* [h >> l, w >> l, 4] */
    int  w, h, concept, hue, order; /* order: as they were added */
    tint own;                /* its colour; NONE if it has several */
    tint other[TURNS];       /* colours it can be turned to; n_other of them */
    int  n_other;
} drawing;

typedef struct concept_row {
    char   one[40], many[44];
    int    category, colors, first, n;  /* its drawings: kit.drawing[first .. first + n) */
    int    rank;                /* 0: the most frequent */
    bool   held_out, mirror, upright;
    unsigned place_held, count_held; /* bit per cell, per count: combinations kept from training */
    uint64_t hash;
} concept_row;

typedef struct backdrop { char name[64]; ivl_image im; bool held_out; } backdrop;

typedef struct kit {
    const ivl_scenes_options *o;
    drawing  *drawing;
    concept_row *concept;
    backdrop *back;
    int n_drawings, n_concepts, n_backs, n_categories;
    double *chance;    /* [n_concepts] cumulated over trained concepts */
    double *chance_of; /* [n_categories, n_concepts] the same within each */
} kit;

ivl_status kit_open(const ivl_scenes_options *o, kit *k_p);
void       kit_close(kit *k); /* accepts a zeroed one */
const char *kit_category_name(int category);
int        kit_categories(void);

/* Takes rgba[h,w,4] (not freed) as a cut-out of the concept; too small or empty ones are left out. */
ivl_status kit_add_drawing(kit *k, int concept, const uint8_t *rgba, int w, int h, tint named);
ivl_status kit_add_clipart(kit *k, const char *dir);
ivl_status kit_load_backdrops(kit *k);

/* --- a scene -------------------------------------------------------------------------------------------- */

enum { SCENE_OBJECTS = 5, SCENE_GROUPS = 3 };
typedef struct thing {
    int group;
    double x, y, w, h, tilt; /* centre and size in pixels; tilt: tangent of half the angle */
    bool mirror;
    int cell;                /* 3 * row + column of the centre */
    int box[4];              /* visible pixels: x0 y0 x1 y1, ends excluded */
    int seen, all;           /* pixels visible, and of the cut-out */
} thing;
typedef struct group { int concept, drawing, count, first; tint color, turn; } group;
typedef struct scene {
    group group[SCENE_GROUPS];
    thing thing[SCENE_OBJECTS];
    int   n_groups, n_things, back; /* back: -1 a plain one */
    uint8_t plain[2][3];
} scene;

/* Draws what is where, for the part's rules. */
void scene_draw(const kit *k, ivl_scenes_part part, dice *d, scene *s);
/* A trained concept; category -1: of any. */
int scene_pick(const kit *k, dice *d, int category);
int scene_count_of(const scene *s, int concept);
/* Its concepts, each once, in the order of its groups; how many. */
int scene_concepts(const scene *s, int c[SCENE_GROUPS]);

/* Paints rgb[S,S,3], mask[S,S] (class = concept + 1) and fills boxes. */
ivl_status scene_paint(const kit *k, scene *s, dice *d, uint8_t *rgb, uint8_t *mask);
/* The background alone, then the things where they stand now. */
ivl_status scene_paint_back(const kit *k, const scene *s, dice *d, uint8_t *rgb);
void       scene_paint_things(const kit *k, scene *s, uint8_t *rgb, uint8_t *mask, uint8_t *owner);

/* --- words ---------------------------------------------------------------------------------------------- */

enum { TELL_CAPTIONS = 3, TELL_TURNS = 6, TELL_WORDS = 8, TELL_REASONS = 2, TELL_TEXT = 400 };
typedef char tell_text[TELL_TEXT];
void tell_captions(const kit *k, const scene *s, dice *d, tell_text caption[TELL_CAPTIONS], int *n_p);
/* Questions and answers, several turns. */
void tell_turns(const kit *k, const scene *s, dice *d, tell_text question[TELL_TURNS], tell_text answer[TELL_TURNS],
                int *n_p);
/* Questions that a word or phrase answers, most of them whether something is there. */
void tell_words(const kit *k, const scene *s, dice *d, tell_text question[TELL_WORDS], tell_text answer[TELL_WORDS],
                int *n_p);
/* What is there, in some of them, then whether something is, answered by what is seen: "I see a ring, so no." */
void tell_reasons(const kit *k, const scene *s, dice *d, tell_text question[TELL_REASONS],
                  tell_text answer[TELL_REASONS], int *n_p);

/* Whether something is there: a question, with a sentence and a word that answer; false: nothing was found. */
bool presence_ask(const kit *k, const scene *s, dice *d, tell_text q, tell_text a, tell_text word);
/* The same several times, at most `most` and TELL_WORDS; how many. A coin chooses between what is there and was not
 * asked for, and what is not there. When all that is there was asked for, the questions end: so every one is answered
 * yes half of the time, whatever the answers before it. reasoned: answers as tell_reasons has them, else a word. */
int  presence_ask_all(const kit *k, const scene *s, dice *d, int most, bool reasoned, tell_text *question,
                      tell_text *answer);

void        tell_say(tell_text to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *tell_number(int n);                          /* "two"; 0..5 */
const char *tell_article(const char *noun);
const char *tell_place(int cell);                        /* "in the top left" */
void tell_group(const kit *k, const group *g, tell_text text); /* "two red hearts" */
void tell_what(const kit *k, const group *g, tell_text text); /* "the red heart" */
void tell_video(const kit *k, const scene *s, const int way[SCENE_GROUPS], dice *d, tell_text text);

/* --- POPE ----------------------------------------------------------------------------------------------- */

typedef struct pope pope;
ivl_status pope_open(const kit *k, pope **p_p);
void       pope_close(pope *p);
void       pope_learn(pope *p, const scene *s);                    /* a training scene: counts what goes with what */
ivl_status pope_ask(pope *p, const scene *s, const char *image);   /* a validation scene */
ivl_status pope_write(pope *p, const char *dir, int64_t questions[3]);

/* --- splits.json ---------------------------------------------------------------------------------------- */

ivl_status facts_write(const kit *k, const ivl_scenes_report *r);
ivl_status facts_write_classes(const kit *k);

#endif
