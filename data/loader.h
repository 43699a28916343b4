/* Worker threads fill the slots of a ring with batches, in step order. What a slot holds is a pure function
 * of the data, the configuration and the step: the number of workers, the cache, and a restart at another
 * step change no byte. */
#ifndef IVL_DATA_LOADER_H
#define IVL_DATA_LOADER_H

#include "data/record.h"
#include "data/tokenizer.h"
#include "data/transform.h"

typedef struct ivl_loader ivl_loader;

/* From this step on, pictures are size x size and batches have this many rows (over all processes). */
typedef struct ivl_segment { int64_t from_step; int size, batch; } ivl_segment;
enum { IVL_MAX_SEGMENTS = 8, IVL_MAX_REPLACE = 16 };

/* What became of a row. */
typedef struct ivl_row_result { bool valid; int skipped; char trouble[512]; } ivl_row_result;
/* Fills row `row` (of this process) of `step` in the slot, from many threads at once; an error ends the run. */
typedef ivl_status (*ivl_row_filler)(const void *ctx, int64_t step, int row, void *slot, ivl_row_result *r);

typedef enum ivl_bad_policy {
    IVL_BAD_SKIP, /* a bad record is replaced by another, drawn from (seed, step, row); without shuffling its
                     row stays empty. After IVL_MAX_REPLACE bad ones in a row it is an error */
    IVL_BAD_FAIL  /* its error, naming file and key, comes out of ivl_loader_next at its step */
} ivl_bad_policy;

typedef struct ivl_loader_config {
    uint64_t seed;
    ivl_segment segment[IVL_MAX_SEGMENTS]; /* the first from step 0 */
    int n_segments;
    ivl_transform transform;     /* its size is ignored: segments say it */
    int rank, world;             /* world 0 counts as 1 */
    int workers;                 /* 0 counts as 1 */
    int64_t first_step;
    int64_t end_step;            /* 0: never; ignored when in_order */
    bool in_order;               /* one pass over the records in their order, no shuffling; the last batch may
                                    have empty rows */
    int64_t shuffle_block;       /* see ivl_sampler.block */
    const int64_t *subset;       /* only these records, subset[n_subset]; NULL: all */
    int64_t n_subset;
    const ivl_tokenizer *tok;    /* NULL: no text, ids are zero */
    int text_len;                /* L */
    const char *prefix;          /* NULL: "summarize:" */
    bool stage2;                 /* three texts per row, see ivl_slot_layout */
    bool retrieval;              /* three others: a caption of another picture, the row's without and with a prefix */
    const int32_t *neighbours;   /* [records of the data set, n_neighbours], -1: none: texts of other pictures are drawn
                                    from these records, in the row's language if they have it. NULL: from all */
    int n_neighbours;
    int clean_words;             /* 0: captions as they are; else cleaned, at most so many words */
    const char *langs, *without; /* comma lists of language tags: only these (captions without a tag are none
                                    of them); not these. NULL: all; none */
    ivl_bad_policy bad;
    size_t cache_bytes;          /* decoded pictures kept for later epochs */
    ivl_row_filler fill;         /* fills slots instead, to a layout of its own; NULL: records of the data set. With it
                                    ds and layout are NULL, and only segments, workers and steps count here */
    const void *fill_ctx;
} ivl_loader_config;

/* Byte offsets in a slot; B: rows of this process, S: largest size, L: text_len. Rows of a step lie without
 * gaps. With stage2 a row has three texts, ids [B,3,L] and len [B,3]: one to match with the picture, without a prefix
 * (the first B - B/2 rows of a batch have it from another picture, of another group where groups are told); the
 * contrastive one; the one to generate, after IVL_GENERATE_PREFIX. With retrieval: another picture's to match, the
 * row's own to match, the contrastive one. */
#define IVL_GENERATE_PREFIX "English caption:"
typedef struct ivl_slot_layout {
    size_t pixels;  /* u8 [B,S,S,3] */
    size_t ids;     /* i32 [B,L] */
    size_t len;     /* i32 [B]: tokens that are no padding */
    size_t record;  /* i64 [B]: index in the data set; -1: an empty row (all its parts are zero) */
    size_t group;   /* i64 [B]: rows of one group (or record, where none is told) have the same number */
    size_t caption; /* i32 [B]: index among the record's captions; -1: none */
    size_t bytes;
} ivl_slot_layout;

/* Offsets that are multiples of 256, for the largest segment. */
ivl_status ivl_slot_layout_make(const ivl_loader_config *cfg, ivl_slot_layout *layout_p);

typedef struct ivl_slot_info {
    int64_t     step;
    int         size, rows;  /* S and B of this step */
    int         valid;       /* rows that are not empty */
    int         skipped;     /* bad records met */
    const char *trouble; /* the first one's message, "" if there was none; lives until the slot is released */
} ivl_slot_info;

/* slot[i] is memory of at least layout->bytes (pinned, say); it, ds, tok and the strings and subset of cfg
 * must outlive the loader. Workers start at once. */
ivl_status ivl_loader_open(const ivl_dataset *ds, const ivl_loader_config *cfg, const ivl_slot_layout *layout,
                           void *const *slot, int n_slots, ivl_loader **l_p);
/* At any time, from the thread that calls next; waits for rows that are being filled. */
void       ivl_loader_close(ivl_loader *l);

/* The next step's slot, waiting for it; -1 after the last. It is the caller's until it is released. */
ivl_status ivl_loader_next(ivl_loader *l, int *slot_p);
void       ivl_loader_release(ivl_loader *l, int slot);
ivl_slot_info ivl_loader_info(const ivl_loader *l, int slot);

/* Without waiting: is the next slot ready? For statistics of who waits for whom. */
bool ivl_loader_ready(ivl_loader *l);

/* Segment of a step, and the samples that all steps before it took. */
const ivl_segment *ivl_loader_segment(const ivl_loader_config *cfg, int64_t step);
int64_t            ivl_loader_position(const ivl_loader_config *cfg, int64_t step);

#endif
