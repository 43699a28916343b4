/* Stage 3 in a training run: conversations about pictures into a chat model. */
#ifndef IVL_TRAIN_TRAINER_CHAT_H
#define IVL_TRAIN_TRAINER_CHAT_H

#include "data/chat_rows.h"
#include "model/chat.h"

typedef struct ivl_flight  ivl_flight;
typedef struct ivl_trainer ivl_trainer;

typedef struct ivl_trainer_chat {
    ivl_chat_config    config;
    ivl_template       form;
    char              *system;     /* NULL: the template's */
    ivl_conversations *talks;
    ivl_chat_rows     *rows;
    ivl_chat_layout    layout;
} ivl_trainer_chat;

/* Data and configuration: t->chat, t->config, t->tok. */
ivl_status ivl_trainer_chat_open(ivl_trainer *t);
void       ivl_trainer_chat_close(ivl_trainer_chat *c);
/* t->params, with their weights. */
ivl_status ivl_trainer_chat_model(ivl_trainer *t);
void       ivl_trainer_chat_shapes(ivl_trainer *t);
/* A step's records from a loader slot, but for rates. */
void       ivl_trainer_chat_fill(const ivl_trainer *t, const void *slot, int64_t step, ivl_flight *f);
ivl_status ivl_trainer_chat_save(const ivl_trainer *t, const char *dir);

#endif
