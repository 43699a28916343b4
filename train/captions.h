/* The captions of a data set, in record order. */
#ifndef IVL_TRAIN_CAPTIONS_H
#define IVL_TRAIN_CAPTIONS_H

#include "data/record.h"

typedef struct ivl_captions {
    char    **text, **lang; /* lang: "" where the record does not tell */
    char    (*script)[5];   /* ISO 15924, of the language */
    int32_t  *image_of;     /* record */
    int       n, cap;
    int32_t  *first, *group; /* of each record: its captions are [first[i], first[i + 1]); equal groups show the same,
                              * negative: none told */
    int32_t  *same;          /* of each caption: equal wordings share a number */
    int       n_records;
} ivl_captions;

/* Those of `languages` ("en,de"; NULL: all). None at all is an error. c is the caller's to free on failure too.
 * name: of the data, for that message. */
ivl_status ivl_captions_read(const ivl_dataset *ds, const char *name, const char *languages, ivl_captions *c);
void       ivl_captions_free(ivl_captions *c); /* accepts a zeroed one */

/* Pictures i and k may have a caption that describes both: they are of one group, or share a wording. */
bool ivl_captions_alike(const ivl_captions *c, int32_t i, int32_t k);

/* Records that have a caption, at most `most` of them (0: all), drawn by seed, in order. *record_p: the caller's. */
ivl_status ivl_captions_draw(const ivl_captions *c, int most, uint64_t seed, int32_t **record_p, int *n_p);

/* lang is in the comma-separated list; an empty list holds all. */
bool ivl_language_in(const char *list, const char *lang);

#endif
