/* Classes of a data set's records: a record's is its top folder, else its group. */
#ifndef IVL_TRAIN_CLASSES_H
#define IVL_TRAIN_CLASSES_H

#include "data/record.h"

typedef struct ivl_classes {
    char   **name;  /* sorted by their bytes */
    int      n;
    int32_t *label; /* per record */
    int64_t  n_records;
} ivl_classes;

/* c is the caller's to free on failure too. A record of neither is an error that names it. */
ivl_status ivl_classes_read(const ivl_dataset *ds, ivl_classes *c);
void       ivl_classes_free(ivl_classes *c); /* accepts a zeroed one */
/* Number of a class; -1: there is none of that name. */
int        ivl_classes_find(const ivl_classes *c, const char *name);

/* Holds out about `share` of the records of every label, at least one where there are two: held[i]. A function of its
 * arguments. */
ivl_status ivl_hold_out(const int32_t *label, int64_t n, double share, uint64_t seed, bool *held);

#endif
