/* Inside of a training run. */
#ifndef IVL_TRAIN_TRAINER_H
#define IVL_TRAIN_TRAINER_H

#include "data/loader.h"
#include "train/metrics.h"
#include "train/state.h"
#include "train/step.h"
#include "train/train.h"
#include "train/trainer_chat.h"

/* Steps in flight: a step's result is read, and its memory used again, this many steps later. */
enum { IVL_RING = 3, IVL_LOADER_SLOTS = 4, IVL_TRAIN_SEGMENTS = IVL_CHAT_LENGTHS };

struct ivl_flight {
    ivl_buffer *record;  /* pinned, one per micro-batch */
    ivl_event  *event;   /* after the step */
    int64_t     step;    /* -1: free */
    double      lr_image;
    float      *share;   /* what each micro-batch's loss counts (stage 3) */
};

struct ivl_trainer {
    const ivl_recipe        *r;
    const ivl_train_options *o;
    ivl_device              *dev;
    ivl_stream              *stream;
    ivl_model_config         config;
    ivl_params              *params;
    ivl_dtype                dtype;
    ivl_tokenizer           *tok;
    ivl_dataset             *ds;
    ivl_loader_config        load;
    int64_t                 *records;    /* to draw from, records[load.n_subset]; NULL: each once */
    ivl_slot_layout          layout;
    ivl_loader              *loader;
    void                    *slot[IVL_LOADER_SLOTS];
    ivl_step_plan           *plan[IVL_TRAIN_SEGMENTS];
    ivl_step_shape           shape[IVL_TRAIN_SEGMENTS];
    int                      n_segments, n_micro;
    bool                     stage2;    /* or retrieval: matching, with queries */
    bool                     retrieval;
    ivl_trainer_chat        *chat;      /* stage 3; NULL: not that */
    bool                     new_lm_head; /* init has none */
    int32_t                 *neighbours;  /* [records, r->neighbours], -1: none; NULL: negatives are random */
    int                      prefix_tokens; /* of what stage 2 generates, BOS included */
    ivl_tensor               resize[IVL_TRAIN_SEGMENTS]; /* position matrices of other sizes */
    ivl_flight               flight[IVL_RING];
    ivl_buffer               result;     /* pinned, n_results rows of IVL_STEP_RESULT floats per flight */
    int                      n_results;
    ivl_metrics             *metrics;
    char                    *checkpoints, *recipe_text;
    int64_t                  first_step, skipped, skipped_in_a_row;
    double                   started, last_time, step_time, step_flops, flops[IVL_TRAIN_SEGMENTS];
    double                   roof;       /* GFLOP/s of the device, measured; 0: not known */
};

/* trainer_setup.c */
ivl_status ivl_trainer_open(ivl_trainer *t);
void       ivl_trainer_close(ivl_trainer *t);
/* trainer_batch.c: the records of step `step` from a loader slot (masks, dropped branches, rates included). */
void       ivl_trainer_fill(const ivl_trainer *t, const void *slot, int64_t step, ivl_flight *f);
int        ivl_trainer_segment(const ivl_trainer *t, int64_t step);
double     ivl_trainer_rate(const ivl_trainer *t, ivl_group group, int64_t step);
/* trainer_retrieval.c: does a parameter train in stage 2 or retrieval? */
bool       ivl_trainer_trains(void *trainer, const char *name);
/* What of stage 2 the initial model has: retrieval needs it, and a new lm_head trains in stage 2. */
ivl_status ivl_trainer_look_at_init(ivl_trainer *t);
/* ITM's and ITC's parts of a record of retrieval from a loader slot. */
void       ivl_trainer_fill_retrieval(const ivl_trainer *t, const ivl_step_shape *s, const ivl_step_layout *l,
                                      const char *from, char *to);
/* trainer_negatives.c: for each record those whose captions are most like its picture, if the recipe wants them. */
ivl_status ivl_trainer_open_negatives(ivl_trainer *t);
/* trainer_lora.c: the recipe's adapters; at the end of the run: out/adapter, then they are folded into the weights. */
ivl_lora   ivl_trainer_lora(const ivl_recipe *r);
ivl_status ivl_trainer_save_adapter(const ivl_trainer *t);
/* trainer_record.c: what --record writes. */
ivl_status ivl_trainer_record_start(const ivl_trainer *t);
ivl_status ivl_trainer_record_step(const ivl_trainer *t, int64_t step, const ivl_flight *f);


#endif
