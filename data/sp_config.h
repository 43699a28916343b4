/* tokenizer_config.json beside a sentencepiece model, as Hugging Face's LlamaTokenizer has it: which texts are single
 * tokens, whether BOS comes first, the chat template. */
#ifndef IVL_DATA_SP_CONFIG_H
#define IVL_DATA_SP_CONFIG_H

#include "data/sentencepiece.h"

/* A token that is a single one wherever its text stands; text is not terminated. */
typedef struct ivl_special { const char *text; size_t n; int32_t id; } ivl_special;

typedef struct ivl_sp_config {
    char        *chat_template; /* NULL: none */
    bool         no_bos;        /* BOS does not come first */
    bool         legacy;        /* data/tokenizer.h */
    ivl_special *special;       /* [n_special]; texts are of `text` */
    int          n_special;
    char        *text;
} ivl_sp_config;

/* Of the file's bytes; tokens that a vocabulary of `size` does not have are passed over. Freed by the caller, also
 * after a failure. */
ivl_status ivl_sp_config_parse(const char *bytes, size_t n, const char *name, int size, ivl_sp_config *c);
void       ivl_sp_config_free(ivl_sp_config *c);

/* DIR/tokenizer_config.json, atomically. */
ivl_status ivl_sp_config_save(const ivl_sp_config *c, const char *dir);

#endif
