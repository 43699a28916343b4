/* Choosing tokens: greedy, sampling and beam search over any model that can advance its cache. Host logic only; the
 * semantics are those of Hugging Face's generate (4.37), so that captions and replies compare with published ones. */
#ifndef IVL_TRAIN_DECODE_H
#define IVL_TRAIN_DECODE_H

#include <ivl/backend.h>

enum { IVL_DECODE_EOS = 4 };

typedef struct ivl_decode_options {
    int     beams;                   /* 1: no beam search */
    int     max_new, min_new;        /* tokens, EOS counted in max_new; EOS is not chosen during the first min_new */
    int32_t eos[IVL_DECODE_EOS], pad;
    int     n_eos;
    double  length_penalty;          /* a hypothesis scores (sum of log-probabilities) / length^length_penalty */
    double  repetition_penalty;      /* above 1: tokens seen before get less likely; 1: off */
    int     no_repeat_ngram;         /* no n-gram of this size occurs twice; 0: off */
    double  temperature;             /* 0: the most likely token; else sampling, without beams */
    double  top_p;                   /* sample from the smallest set with this probability; 1: from all */
    int     top_k;                   /* and from this many at most; 0: from all */
    uint64_t seed;
} ivl_decode_options;

/* Greedy, 1 beam, penalties off, 30 tokens, no EOS. */
ivl_decode_options ivl_decode_defaults(void);

/* The batch has rows * beams lanes; lanes row * beams ... row * beams + beams - 1 are one row's. */
typedef struct ivl_decode_model {
    void *ctx;
    int   vocab;
    /* Every lane takes in token[lane]; logits[lanes,vocab] for what follows. Rows that have ended take in pad. */
    ivl_status (*step)(void *ctx, const int32_t *token, float *logits);
    /* Beams only, before a step: lane i of the cache becomes a copy of what lane parent[i] was. */
    ivl_status (*reorder)(void *ctx, const int32_t *parent);
    /* NULL, or without beams hears of every token at once, EOS too; false ends the row. */
    bool (*heard)(void *ctx, int row, int32_t token);
} ivl_decode_model;

typedef struct ivl_decode_rows {
    int n;
    /* NULL, or the ids before each row, which the repetition rules count as seen (negative ids are passed over).
     * Hugging Face has none where it generates from embeddings, as InternVL does. */
    const int32_t *const *prompt;
    const int *prompt_n;
    const uint64_t *key; /* NULL, or what makes a row's random numbers its own; else its number does */
} ivl_decode_rows;

/* logits[rows * beams, vocab]: what the model said after the prompts (rows of one prompt alike); overwritten.
 * out[rows, max_new]: the new tokens, EOS included where it was reached, then pad; len[rows] counts without pad. */
ivl_status ivl_decode(const ivl_decode_options *o, const ivl_decode_model *m, const ivl_decode_rows *rows,
                      float *logits, int32_t *out, int32_t *len);

#endif
