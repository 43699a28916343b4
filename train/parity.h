/* Inside of ivl_verify: the case's files, one recorded run over its inputs, and comparing. */
#ifndef IVL_TRAIN_PARITY_H
#define IVL_TRAIN_PARITY_H

#include <jansson.h>

#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/internvl.h"
#include "model/safetensors.h"
#include "train/step.h"
#include "train/verify.h"

typedef struct ivl_parity {
    const char               *dir;
    ivl_device               *dev;
    ivl_stream               *stream;
    const ivl_verify_options *o;
    const char               *tolerance; /* key of the compute type: "fp32" */
    ivl_model_config          config;
    ivl_params               *params;
    ivl_st                   *expected;
    json_t                   *manifest, *done; /* done: names compared */
    int                       counts[3];
} ivl_parity;

/* One graph over the case's inputs. */
enum { IVL_PARITY_FEEDS = 16 };
typedef struct ivl_parity_run {
    ivl_parity *c;
    ivl_scope s;
    ivl_plan *plan;
    int       n_feed;
    struct { ivl_val v; void *data; size_t bytes; } feed[IVL_PARITY_FEEDS];
} ivl_parity_run;

ivl_status ivl_parity_open(const char *dir, ivl_device *dev, const ivl_verify_options *o, ivl_parity *c_p);
void       ivl_parity_close(ivl_parity *c);
bool       ivl_parity_has(const ivl_parity *c, const char *name);
/* Dimensions of an expected tensor or input; IVL_EFORMAT names a missing one. */
ivl_status ivl_parity_shape(const ivl_parity *c, const char *name, int *rank_p, int64_t *dim);
/* Its first rows (0: all) in another type, to dst. */
ivl_status ivl_parity_copy(const ivl_parity *c, const char *name, int64_t rows, ivl_dtype dtype, void *dst);
/* Its elements as double, freed by the caller. */
ivl_status ivl_parity_data(const ivl_parity *c, const char *name, double **data_p, int64_t *n_p);
/* The largest difference allowed; negative: this compute type has none. */
double     ivl_parity_tolerance(const ivl_parity *c, const char *name);
/* Compares the first elements of `got` (as many as the case has) and reports the line. A name that the case does
 * not have, or has no tolerance for with this compute type, is passed over. */
ivl_status ivl_parity_compare(ivl_parity *c, const char *name, const double *got, int64_t n);

/* The case's weights; trains NULL: all of them. */
ivl_status ivl_parity_params(ivl_parity *c, bool (*trains)(void *ctx, const char *name), void *ctx, ivl_params **p_p);

ivl_status ivl_parity_begin(ivl_parity *c, const ivl_params *params, bool train, ivl_parity_run *r_p);
void       ivl_parity_end(ivl_parity_run *r);
/* Inputs from the case: as f32, or i64 as i32. */
ivl_val ivl_parity_input(ivl_parity_run *r, const char *name, ivl_dtype dtype);
/* Only its first rows. */
ivl_val ivl_parity_rows(ivl_parity_run *r, const char *name, ivl_dtype dtype, int64_t rows);
/* Pictures for a tower, the first `rows` (0: all), with the matrix that resizes positions to their size. */
ivl_status ivl_parity_pixels(ivl_parity_run *r, const ivl_model_config *c, const char *name, int64_t rows,
                             ivl_vit_input *in);
/* An input computed here; data is copied. */
ivl_val ivl_parity_feed(ivl_parity_run *r, const char *name, ivl_dtype dtype, int rank, const int64_t *dim,
                      const void *data);
/* Text lengths and EOS positions of right-padded ids [B,L]. */
ivl_status ivl_parity_lengths(ivl_parity_run *r, const char *ids, ivl_val *len_p, ivl_val *last_p);
/* Drop-path scales from in.drop_keep: 2 * layers values. */
ivl_status ivl_parity_drop(ivl_parity_run *r, bool uniform, ivl_val *drop);
ivl_status ivl_parity_execute(ivl_parity_run *r);
/* After execute: a kept value, freed by the caller. */
ivl_status ivl_parity_read(ivl_parity_run *r, ivl_val v, double **got_p, int64_t *n_p);
/* After execute: compares a kept value; cosines times exp(logit_scale); the sum of some. */
ivl_status ivl_parity_check(ivl_parity_run *r, ivl_val v, const char *name);
ivl_status ivl_parity_check_logits(ivl_parity_run *r, ivl_val cosine, const char *name);
ivl_status ivl_parity_sum(ivl_parity_run *r, const ivl_val *v, int n, const char *name);

/* Compares every expected tensor whose name starts with `prefix`; the rest of the name is a parameter. */
ivl_status ivl_parity_check_params(ivl_parity *c, const ivl_params *p, const char *prefix, ivl_slot slot);

/* --- parts of ivl_verify in files of their own ------------------------------------------------------------------- */

/* Called twice: for the shape of the step, then (shape NULL) to fill a batch record. */
typedef ivl_status (*ivl_parity_fill)(ivl_parity *c, void *ctx, ivl_step_shape *shape, const ivl_step_layout *l,
                                      char *slot);
/* Two training steps of "stage1" or "stage2": losses before them, and parameters after. */
ivl_status ivl_verify_adamw(ivl_parity *c, const char *stage, ivl_parity_fill fill, void *ctx);
/* Query states, InternVL-G, stage 2 and retrieval fine-tuning: outputs, losses, gradients, AdamW. */
ivl_status ivl_verify_stage2(ivl_parity *c);
/* tokens.json: tokenisations, prompts, labels of conversations. */
ivl_status ivl_verify_tokens(ivl_parity *c);
/* Captions, token for token. */
ivl_status ivl_verify_captions(ivl_parity *c);
/* Prompts for a decoder, and how they are recorded: the callback finds these as its ctx and records into run. */
typedef struct ivl_parity_prompts {
    int               rows, tokens; /* tokens of the longest, queries included */
    const int32_t    *len;          /* [rows] */
    ivl_prompt_record record;
    void             *ctx;
    ivl_parity_run   *run;
} ivl_parity_prompts;
/* Writes on with the manifest's settings and compares the tokens with those of `name`. */
ivl_status ivl_verify_decode(ivl_parity *c, const char *name, const ivl_decoder_model *m, const json_t *settings,
                             const ivl_parity_prompts *p);
/* Both chat models: picture tokens, logits, loss, gradients, replies. */
ivl_status ivl_verify_chat(ivl_parity *c);
/* heads.safetensors: linear probe, segmentation. */
ivl_status ivl_verify_heads(ivl_parity *c);

#endif
