/* One row of a batch: choose, read, decode, transform, tokenise. Used by the loader's workers. */
#ifndef IVL_DATA_ROWS_H
#define IVL_DATA_ROWS_H

#include "data/loader.h"

/* A decoded record, kept or not. */
typedef struct ivl_cached { ivl_image image; ivl_sample rec; } ivl_cached;

/* Pointers per record, filled once; nothing leaves before the end. */
typedef struct ivl_cache ivl_cache;
ivl_status ivl_cache_open(int64_t n, size_t budget, ivl_cache **c_p); /* budget 0: *c_p is NULL */
void       ivl_cache_close(ivl_cache *c);
/* Record i, decoded; *kept_p says whether the cache owns it (else destroy it after use). */
ivl_status ivl_cache_get(ivl_cache *c, const ivl_dataset *ds, int64_t i, int min_side, ivl_cached **e_p,
                         bool *kept_p);
void       ivl_cached_destroy(ivl_cached *e);

typedef struct ivl_row_job {
    const ivl_dataset *ds;
    const ivl_loader_config *cfg;
    const ivl_slot_layout *layout;
    ivl_cache *cache;
    int64_t n;      /* records to draw from */
    int min_side;
} ivl_row_job;

/* An ivl_row_filler of an ivl_row_job. An error is one that policy does not forgive. */
ivl_status ivl_row_fill(const void *job, int64_t step, int row, void *slot, ivl_row_result *r);

#endif
