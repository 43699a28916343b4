/* A training recipe: what the YAML files of conf/ hold. Every key with its help is in recipe.c.
 * With lora_rank the weights of lora_where stay as they are and adapters beside their linears train (model/lora.h), and
 * cross attention only where it is new, in stage 2. There is no dropout on them (the public code has 0.05): a step has
 * nothing random but its batch and dropped branches. */
#ifndef IVL_TRAIN_RECIPE_H
#define IVL_TRAIN_RECIPE_H

#include "runtime/conf.h"

typedef struct ivl_recipe {
    /* what */
    char  *model, *init, *data, *repeat, *tokenizer, *languages, *stage, *train;
    char  *vision, *llm, *form, *images, *template, *system;
    int64_t select_layer;
    bool    by_length;
    int64_t queries, cross_every;
    /* how long, how much */
    int64_t seed, steps, batch, micro_batch, text_len;
    /* pictures: the first low_steps at low_size with mask_ratio of the patches dropped, then image_size, all patches */
    int64_t image_size, low_size, low_steps;
    double  mask_ratio, crop_min, crop_max;
    bool    flip;
    /* of matching */
    char   *negatives;
    int64_t neighbours;
    /* adapters */
    int64_t lora_rank;
    double  lora_alpha;
    char   *lora_where;
    /* optimiser */
    double  lr_image, lr_text, lr_other, lr_floor, beta1, beta2, eps, weight_decay, clip, max_logit_scale;
    double  layer_decay_image, layer_decay_text;
    int64_t warmup;
    double  drop_path;
    char   *drop_path_rule;
    /* machine */
    char   *compute;
    bool    recompute;
    int64_t workers, checkpoint_every, checkpoint_keep;
} ivl_recipe;

extern const ivl_conf_row ivl_recipe_rows[];
extern const int          ivl_recipe_n_rows;

/* Rules between keys; the message names them. */
ivl_status ivl_recipe_check(const ivl_recipe *r);

#endif
