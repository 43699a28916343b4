/* Batches of conversations for supervised fine-tuning: which go into which step, how long its rows are, and the arrays
 * of a row. All are functions of the files, the configuration and the step. */
#ifndef IVL_DATA_CHAT_ROWS_H
#define IVL_DATA_CHAT_ROWS_H

#include "data/conversation.h"
#include "data/conversations.h"
#include "data/loader.h"

enum { IVL_CHAT_LENGTHS = 4 };

typedef struct ivl_chat_rows_config {
    const ivl_conversations *talks;
    const ivl_tokenizer *tok;
    ivl_template form;
    const char  *system;     /* NULL: the template's */
    uint64_t     seed;
    int          batch, micro; /* rows of a step; of a record that a plan runs on */
    int          image_size, picture_tokens;
    int          text_len;   /* tokens of a row at most, pictures included: longer conversations lose their end */
    bool         by_length;  /* conversations of like length share a step */
} ivl_chat_rows_config;

/* Sizes of a step's rows. */
typedef struct ivl_chat_shape { int text_len, answers, pictures; } ivl_chat_shape;

typedef struct ivl_chat_rows ivl_chat_rows;

/* Encodes every conversation once, to know its length; those that teach nothing (no answer left after the cut, ...) are
 * left out. What cfg points to must outlive it. */
ivl_status ivl_chat_rows_open(const ivl_chat_rows_config *cfg, ivl_chat_rows **r_p);
void       ivl_chat_rows_close(ivl_chat_rows *r);

int64_t ivl_chat_rows_count(const ivl_chat_rows *r);    /* that teach something */
int64_t ivl_chat_rows_left_out(const ivl_chat_rows *r);

/* The shapes that occur, shortest first; without by_length one. */
int            ivl_chat_rows_shapes(const ivl_chat_rows *r, ivl_chat_shape shape[IVL_CHAT_LENGTHS]);
int            ivl_chat_rows_shape_of(const ivl_chat_rows *r, int64_t step); /* which of them a step has */

/* Byte offsets in a slot, B: batch, and of the step's shape N: text_len, A: answers, P: pictures; K: picture_tokens.
 * Places and numbers count within the record of `micro` rows that a row belongs to. */
typedef struct ivl_chat_layout {
    size_t pixels;   /* u8 [B*P,S,S,3] */
    size_t ids;      /* i32 [B,N] */
    size_t len;      /* i32 [B] */
    size_t index;    /* i32 [B,N]: row of the pictures [micro*P,K] at this place, or -1 */
    size_t inverse;  /* i32 [B*P,K]: place in [micro,N] of this row, or -1 */
    size_t answer;   /* i32 [B,A]: place in [micro,N] that predicts this token of an answer, or -1 */
    size_t predicts; /* i32 [B,N]: which of [micro,A] this place predicts, or -1 */
    size_t labels;   /* i32 [B,A]: the token, or negative */
    size_t bytes;
} ivl_chat_layout;
ivl_chat_layout ivl_chat_rows_layout(const ivl_chat_rows *r);

/* An ivl_row_filler of an ivl_chat_rows. A picture that cannot be decoded leaves its row empty. */
ivl_status ivl_chat_row_fill(const void *rows, int64_t step, int row, void *slot, ivl_row_result *result);

#endif
