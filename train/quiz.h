/* Lists of questions about pictures with the right answers, and what a chat model says to them. */
#ifndef IVL_TRAIN_QUIZ_H
#define IVL_TRAIN_QUIZ_H

#include <jansson.h>

#include "data/conversations.h"
#include "data/picture_store.h"
#include "train/talk.h"

typedef enum ivl_quiz_kind { IVL_QUIZ_WHAT, IVL_QUIZ_COUNT, IVL_QUIZ_COLOR, IVL_QUIZ_WHERE, IVL_QUIZ_PRESENCE,
                             IVL_QUIZ_RELATION, IVL_QUIZ_KINDS } ivl_quiz_kind;
/* "what", "how_many", "color", "where", "is_there", "relation". */
const char   *ivl_quiz_kind_name(ivl_quiz_kind k);
/* By its first words, as `ivl data scenes` asks. */
ivl_quiz_kind ivl_quiz_kind_of(const char *question);

typedef struct ivl_question {
    char   *image, *text, *truth, *answer; /* image: a name in the store, or what a record is called */
    int64_t record;                        /* of the conversations; questions of one picture share it */
} ivl_question;

typedef struct ivl_quiz {
    ivl_question      *q;
    int                n, room;
    ivl_picture_store *store; /* where the pictures are: here, */
    ivl_conversations *talks; /* or here */
} ivl_quiz;

/* POPE's form, a JSON object a line: {"image", "text", "label": "yes" or "no"}. images: a folder or tars. first: only
 * so many; 0: all. The caller frees z, also after a failure. */
ivl_status ivl_quiz_pope(const char *path, const char *images, int first, ivl_quiz *z);
/* The questions of conversations (data/conversations.h), each by itself; those of records without one picture, and
 * those without an answer are passed over. */
ivl_status ivl_quiz_conversations(const char *path, const char *images, int first, ivl_quiz *z);
void       ivl_quiz_free(ivl_quiz *z);

typedef enum ivl_blind { IVL_SEES, IVL_SEES_GREY, IVL_SEES_NOTHING } ivl_blind;
const char *ivl_blind_name(ivl_blind b); /* "no", "grey", "none" */

typedef struct ivl_quiz_options {
    const char *model;    /* named in the results */
    ivl_blind   blind;    /* a grey picture instead of the right one; or none at all */
    int         batch, first;
    const char *suffix;   /* a line behind every question; NULL: none */
    const char *answers;  /* writes a JSON object a line there: image, question, answer, truth; NULL: nowhere */
    const char *examples; /* writes conversation.json for the report there; NULL: nowhere */
    int         n_examples;
    void      (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
    void       *ctx;
} ivl_quiz_options;

/* Fills in the answers. */
ivl_status ivl_quiz_ask(ivl_quiz *z, ivl_talk *t, const ivl_quiz_options *o);
ivl_status ivl_quiz_write(const ivl_quiz *z, const char *path);
/* {"conversations": [{"key", "image": data URL, "turns": [{"question", "answer", "truth"}]}]}, n pictures. */
ivl_status ivl_quiz_examples(const ivl_quiz *z, const char *path, int n);

/* {"results": [{"task": "pope", "dataset", "pretrained", "blind", "suffix", "questions", "metrics": {"accuracy",
 * "precision", "recall", "f1", "yes_ratio"}, "ci95": {"accuracy": [low, high]}, "chance": {"accuracy", "f1"}: a coin's,
 * "always_yes": {"accuracy", "f1"}}, one for each list]}. lists: n files. */
ivl_status ivl_eval_pope(ivl_talk *t, const char *const *lists, int n, const char *images, const ivl_quiz_options *o,
                         const char *out_json);
/* {"results": [{"task": "chat_exact_match", "dataset", "pretrained", "blind", "suffix", "questions", "metrics": {"all",
 * "what", ...: one for each kind there is}, "counts", "ci95": the same keys}]}. An answer is right if it is the right
 * one but for case, white space and a full stop at its end; of is_there, if it says yes or no rightly
 * (train/pope.h). */
ivl_status ivl_eval_chat(ivl_talk *t, const char *conversations, const char *images, const ivl_quiz_options *o,
                         const char *out_json);

#endif
