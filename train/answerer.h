/* A language model, about pictures where it has a tower, answers several prompts at a time: one plan for the longest
 * prompt and answer, shorter prompts padded on the right. A row says what it would say alone. */
#ifndef IVL_TRAIN_ANSWERER_H
#define IVL_TRAIN_ANSWERER_H

#include "train/decode.h"
#include "train/language.h"

typedef struct ivl_answerer ivl_answerer;

typedef struct ivl_answerer_options {
    ivl_dtype compute;
    int       batch, pictures;       /* rows; pictures of each */
    int64_t   tokens;                /* of a prompt at most, with its pictures' tokens */
    const ivl_decode_options *decode; /* its eos and pad are set */
} ivl_answerer_options;

/* l and the decoding options must outlive it. */
ivl_status ivl_answerer_create(ivl_device *dev, ivl_stream *s, const ivl_language *l, const ivl_answerer_options *o,
                               ivl_answerer **a_p);
void       ivl_answerer_destroy(ivl_answerer *a);

/* Side of the pictures that the model takes, padded to squares; 0: it sees none. */
int     ivl_language_side(const ivl_language *l);
/* Tokens that a prompt of n ids takes up with its pictures in place of their marks (IVL_IMAGE_TOKEN). */
int64_t ivl_language_tokens(const ivl_language *l, const int32_t *ids, size_t n);

/* A prompt with a mark for each of its pictures [pictures,S,S,3]. */
typedef struct ivl_answerer_row { const int32_t *ids; size_t n; const uint8_t *pixels; } ivl_answerer_row;

/* n <= batch rows. out[batch, max_new], len[batch] as ivl_decode gives them. heard (may be NULL): see ivl_decode_model;
 * rows past n are heard too. */
ivl_status ivl_answerer_run(ivl_answerer *a, const ivl_answerer_row *row, int n,
                            bool (*heard)(void *ctx, int row, int32_t token), void *ctx, int32_t *out, int32_t *len);

#endif
