/* A training run: recipe in, model folder out. Output folder:
 *   recipe.yaml      what the run uses, every key
 *   metrics.jsonl    a line per step, and TensorBoard events beside it
 *   checkpoints/     step-N/, see train/state.h
 *   negatives.safetensors   with negatives: hard, which pictures' captions are like which picture
 *   adapter/         at the end, with lora_rank: adapter_config.json, adapter_model.safetensors; merged into model/
 *   model/           at the end: config.json, model.safetensors, tokenizer.model
 *   run.json         at the end: facts of the run */
#ifndef IVL_TRAIN_TRAIN_H
#define IVL_TRAIN_TRAIN_H

#include "train/recipe.h"

typedef struct ivl_train_progress {
    int64_t step, steps;      /* finished, of */
    double  loss, grad_norm, logit_scale, lr_image, samples_per_s, gflops; /* of a step some steps ago */
    double  itm, itc, itg, itm_hits, itg_hits; /* stage 2: losses, shares of right answers */
    double  utilisation;      /* gflops over the device's measured roof; 0: not known */
    double  hits;             /* stage 3: share of the answers' tokens that are guessed right */
    int     stage;            /* 1, 2 (or retrieval), 3 */
    bool    retrieval;        /* matching and contrast, no generation */
    bool    skipped;          /* its gradient was not finite: nothing was updated */
} ivl_train_progress;

typedef struct ivl_train_options {
    const char *out;          /* output folder */
    bool        resume;       /* go on from the newest checkpoint, if there is one */
    bool        overfit;      /* the first batch, over and over */
    bool        trace_nan;    /* wait after every step; when one is not finite, name the first bad tensor and fail */
    const char *record;       /* folder for initial weights and every batch, to replay the run elsewhere; NULL: none */
    const volatile int *stop; /* set to non-zero (by a signal): save and end early */
    void      (*progress)(void *ctx, const ivl_train_progress *p);
    void      (*note)(void *ctx, const char *text); /* things a person should know: skipped steps, bad records */
    void       *ctx;
} ivl_train_options;

/* *done_p: false if it was stopped early. */
ivl_status ivl_train(const ivl_recipe *r, ivl_device *dev, const ivl_train_options *o, bool *done_p);

#endif
