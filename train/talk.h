/* Conversations with a language model, about pictures where it has a tower: InternVL-Chat folders, and LLaMA-type
 * language models alone, as Hugging Face folders or GGUF files. */
#ifndef IVL_TRAIN_TALK_H
#define IVL_TRAIN_TALK_H

#include <ivl/ivl.h>

#include "data/conversation.h"
#include "train/decode.h"

typedef struct ivl_talk ivl_talk;

typedef struct ivl_talk_options {
    ivl_dtype          compute;  /* storage of weights and activations */
    const char        *form;     /* prompt template; NULL: the model's own, else vicuna */
    const char        *system;   /* system message; NULL: the model's own or the template's */
    ivl_decode_options decode;   /* its eos and pad are the model's */
} ivl_talk_options;

ivl_status  ivl_talk_open(const char *model, ivl_device *dev, const ivl_talk_options *o, ivl_talk **t_p);
void        ivl_talk_close(ivl_talk *t);

/* A picture for questions that hold its mark "<image>", in order; padded to a square as in fine-tuning. */
ivl_status ivl_talk_show(ivl_talk *t, const ivl_picture *picture);
/* Forgets pictures. */
void       ivl_talk_clear(ivl_talk *t);

/* The answer to the last of n turns (its answer is NULL), malloc'd. hear (may be NULL) gets it piece by piece. */
ivl_status ivl_talk_answer(ivl_talk *t, const ivl_turn *turn, int n, void (*hear)(void *ctx, const char *piece),
                           void *ctx, char **answer_p);

/* Many questions, each a conversation of its own. */
typedef struct ivl_talk_questions {
    const char *const *question; /* [n] */
    int    n, batch;             /* so many at a time */
    int    pictures;             /* 1: each has a picture and its mark; 0: none has */
    /* The picture of question i; malloc'd bytes, freed when it is answered. NULL: all are grey. */
    ivl_status (*show)(void *ctx, int i, ivl_picture *picture_p);
    void  *ctx;
    void (*progress)(void *ctx, const char *what, int64_t done, int64_t total); /* may be NULL */
    void  *progress_ctx;
} ivl_talk_questions;

/* answer[n]: what ivl_talk_answer says to each, malloc'd; those that are there after a failure are the caller's too. */
ivl_status ivl_talk_answers(ivl_talk *t, const ivl_talk_questions *q, char **answer);

#endif
