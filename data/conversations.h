/* Files of conversations about pictures in LLaVA's form: a JSON array, or a JSON object a line, of
 *   {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
 *                                                   {"from": "gpt", "value": "A cat."}, ...]}
 * "image" may be an array, or absent; "user" and "assistant" are taken for "human" and "gpt"; a first message from
 * "system" takes the place of the template's; a first one from "gpt" is left out. The last question may lack its
 * answer. As many <image> marks stand in the questions as there are pictures (none at all: they go before the first
 * question); a single mark moves to the front of its question, as LLaVA has it. In answers, and in records without a
 * picture, the mark is text and is written "<image >". */
#ifndef IVL_DATA_CONVERSATIONS_H
#define IVL_DATA_CONVERSATIONS_H

#include "data/conversation.h"

typedef struct ivl_conversations ivl_conversations;

typedef struct ivl_conversation_image { const char *name; uint8_t *bytes; size_t n; } ivl_conversation_image;

typedef struct ivl_conversation {
    const char *where;               /* "FILE:LINE: record N (id ...)", for messages */
    const char *system;              /* NULL: the template's */
    ivl_turn   *turn;                /* turn[n_turns] */
    ivl_conversation_image *image;   /* image[n_images], encoded, in the order of their marks */
    int         n_turns, n_images;
    void       *json, *memory;       /* what the above point into */
} ivl_conversation;

/* files: one, or several joined by "::", with {00..09} and * patterns. images: what names of pictures are relative to,
 * a folder or tar files (data/picture_store.h); NULL: the folder of the (first) file. Looks at every record, and
 * whether its pictures are there; the first that is wrong is the error, which names file, line, record, its id and the
 * key. */
ivl_status ivl_conversations_open(const char *files, const char *images, ivl_conversations **c_p);
void       ivl_conversations_close(ivl_conversations *c);
int64_t    ivl_conversations_count(const ivl_conversations *c);

/* Record i; many threads may read at once. _read_text leaves the pictures' bytes NULL. */
ivl_status ivl_conversations_read(const ivl_conversations *c, int64_t i, ivl_conversation *out_p);
ivl_status ivl_conversations_read_text(const ivl_conversations *c, int64_t i, ivl_conversation *out_p);
void       ivl_conversation_free(ivl_conversation *c); /* accepts a zeroed one */

/* One record's text[n] (in data/conversation_turns.c); messages begin with `where`. */
ivl_status ivl_conversation_parse(const char *text, size_t n, const char *where, ivl_conversation *out_p);

#endif
