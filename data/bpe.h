/* Byte-level BPE, the tokenizer family of GPT-2: text is cut into words by rules on Unicode classes, the bytes of each
 * word join by ranked merges, and special tokens in the text are single ones. Read from GGUF files and from Hugging
 * Face's tokenizer.json; data/tokenizer.h is its user's face. After opening, many threads may use one at once. */
#ifndef IVL_DATA_BPE_H
#define IVL_DATA_BPE_H

#include "runtime/gguf.h"

typedef struct ivl_bpe ivl_bpe;

/* As tokenizer.ggml.token_type has them. */
typedef enum ivl_bpe_kind {
    IVL_BPE_NORMAL = 1, IVL_BPE_UNKNOWN, IVL_BPE_CONTROL, IVL_BPE_USER, IVL_BPE_UNUSED, IVL_BPE_BYTE
} ivl_bpe_kind;

/* How text is cut before merging. */
typedef enum ivl_bpe_rule {
    IVL_BPE_GPT2,    /* GPT-2's expression */
    IVL_BPE_DIGITS,  /* every digit alone, then GPT-2's (SmolLM, StarCoder) */
    IVL_BPE_DEFAULT  /* llama.cpp's for files that name no rule: runs of punctuation, GPT-2's, digits by threes */
} ivl_bpe_rule;

/* What a vocabulary is made of; all borrowed. Normal tokens are written in GPT-2's alphabet of one character a byte,
 * others as they are. A merge is two tokens with a space between. */
typedef struct ivl_bpe_source {
    const char *name; /* for messages */
    const ivl_gguf_text *token, *merge;
    const int64_t *kind; /* of each token; NULL: normal */
    int64_t n, n_merges;
    ivl_bpe_rule rule;
    int64_t bos, eos, unk, pad; /* ids, -1: none */
    bool add_bos;
    const char *chat_template;  /* NULL: none */
} ivl_bpe_source;

ivl_status ivl_bpe_create(const ivl_bpe_source *from, ivl_bpe **b_p);
ivl_status ivl_bpe_from_gguf(const ivl_gguf *f, ivl_bpe **b_p);
/* The text of a tokenizer.json. */
ivl_status ivl_bpe_from_json(const char *text, size_t n, const char *name, ivl_bpe **b_p);
/* Then the text of a tokenizer_config.json: BOS, EOS and others by name, whether BOS comes first, the chat template. */
ivl_status ivl_bpe_configure(ivl_bpe *b, const char *text, size_t n, const char *name);
void       ivl_bpe_close(ivl_bpe *b);

/* "smollm", "gpt-2", "default" and others with the same rules, as in tokenizer.ggml.pre. */
ivl_status ivl_bpe_rule_parse(const char *pre, const char *name, ivl_bpe_rule *rule_p);
const char *ivl_bpe_rule_name(ivl_bpe_rule r);

/* Valid UTF-8 text[n] to ids, no BOS; *ids_p is freed by the caller. Bytes that the vocabulary lacks are dropped, as by
 * Hugging Face's. */
ivl_status ivl_bpe_encode(const ivl_bpe *b, const char *text, size_t n, int32_t **ids_p, size_t *n_p);
/* Bytes of a token that stands in text; 0 bytes for control tokens. NULL: no such id. */
const char *ivl_bpe_token(const ivl_bpe *b, int32_t id, size_t *n_p);
/* Id of a special token (control or user-defined) by its text; -1: none. */
int32_t     ivl_bpe_special(const ivl_bpe *b, const char *text);

typedef struct ivl_bpe_info { int size, bos, eos, unk, pad; bool add_bos; ivl_bpe_rule rule; } ivl_bpe_info;
ivl_bpe_info ivl_bpe_info_of(const ivl_bpe *b);
ivl_status   ivl_bpe_set(ivl_bpe *b, const ivl_bpe_info *ids, const char *chat_template); /* ids, add_bos; copies */
const char  *ivl_bpe_chat_template(const ivl_bpe *b); /* NULL: none */

/* --- writing --- */

/* The vocabulary as metadata of a GGUF file. */
ivl_status ivl_bpe_put_gguf(const ivl_bpe *b, ivl_gguf_meta *m);
/* tokenizer.json and tokenizer_config.json in DIR, each atomically. */
ivl_status ivl_bpe_save(const ivl_bpe *b, const char *dir);
/* Token as files have it: normal ones in GPT-2's alphabet. In room for 2 bytes a byte of the longest; returns its
 * length. room NULL: the bytes that the longest needs. */
size_t     ivl_bpe_written(const ivl_bpe *b, int32_t id, char *room);
ivl_bpe_kind ivl_bpe_kind_of(const ivl_bpe *b, int32_t id);
/* Pairs of ids in order of rank, *list_p freed by the caller. */
typedef struct ivl_bpe_pair { int32_t left, right, rank; } ivl_bpe_pair;
ivl_status ivl_bpe_merges(const ivl_bpe *b, ivl_bpe_pair **list_p, size_t *n_p);

/* --- rules --- */

/* Length of the first piece of text[n], n > 0, under step `step` of a rule; steps run one inside the other. */
int    ivl_bpe_steps(ivl_bpe_rule r);
size_t ivl_bpe_piece(ivl_bpe_rule r, int step, const char *text, size_t n);
/* The steps of IVL_BPE_DEFAULT as regular expressions, as tokenizer.json has them. */
enum { IVL_BPE_SPLITS = 4 };
const char *ivl_bpe_split(int step);
/* GPT-2's alphabet: the character of a byte, and back (-1: of none). */
uint32_t ivl_bpe_letter(unsigned char byte);
int      ivl_bpe_byte(uint32_t letter);

#endif
