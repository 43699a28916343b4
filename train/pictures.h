/* Some records of a data set with their pictures, as the encoders take them. */
#ifndef IVL_TRAIN_PICTURES_H
#define IVL_TRAIN_PICTURES_H

#include <ivl/ivl.h>

#include "data/record.h"

enum { IVL_PICTURES = 64 };

typedef struct ivl_pictures {
    ivl_sample  rec[IVL_PICTURES];
    ivl_picture pic[IVL_PICTURES]; /* named by where they are from */
    char        where[IVL_PICTURES][512];
    int         n;
} ivl_pictures;

/* n <= IVL_PICTURES records: record[i], or, where it is NULL, first + i. Nothing to free on failure. */
ivl_status ivl_pictures_read(const ivl_dataset *ds, const int32_t *record, int64_t first, int n, ivl_pictures *p);
void       ivl_pictures_free(ivl_pictures *p);

/* "data:image/png;base64,..." of an encoded picture, for web pages; freed by the caller, NULL when out of memory. */
char *ivl_picture_url(const uint8_t *bytes, size_t n);

#endif
