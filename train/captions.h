/* The captions of a data set, in record order. */
#ifndef IVL_TRAIN_CAPTIONS_H
#define IVL_TRAIN_CAPTIONS_H

#include "data/record.h"

typedef struct ivl_captions {
    char    **text, **lang; /* lang: "" where the record does not tell */
    char    (*script)[5];   /* ISO 15924, of the language */
    int32_t  *image_of;     /* record */
    int       n, cap;
} ivl_captions;

/* Those of `languages` ("en,de"; NULL: all). None at all is an error. c is the caller's to free on failure too.
 * name: of the data, for that message. */
ivl_status ivl_captions_read(const ivl_dataset *ds, const char *name, const char *languages, ivl_captions *c);
void       ivl_captions_free(ivl_captions *c); /* accepts a zeroed one */

/* lang is in the comma-separated list; an empty list holds all. */
bool ivl_language_in(const char *list, const char *lang);

#endif
