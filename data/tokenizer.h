/* Text to token ids and back: sentencepiece models under LLaMA's rules, byte-level BPE (data/bpe.h), and InternVL's
 * conventions for captions. All but open, close and legacy may be called by many threads at once. Text is UTF-8; every
 * byte that is not valid UTF-8 counts as U+FFFD. */
#ifndef IVL_DATA_TOKENIZER_H
#define IVL_DATA_TOKENIZER_H

#include "runtime/gguf.h"

typedef struct ivl_tokenizer ivl_tokenizer;

/* tokenizer.model, tokenizer.json (tokenizer_config.json beside either is read, too), a GGUF file, or a folder with one
 * of these, sought in this order. */
ivl_status ivl_tokenizer_open(const char *path, ivl_tokenizer **tok_p);
ivl_status ivl_tokenizer_open_memory(const void *data, size_t n, const char *name, ivl_tokenizer **tok_p);
void       ivl_tokenizer_close(ivl_tokenizer *tok);

/* true: sentencepiece's dummy space stands before every stretch of text between special tokens (Vicuna 1.3,
 * InternVL-14B); false: only before the text's first (Vicuna 1.5). As opened: what "legacy" in tokenizer_config.json
 * says, else true. */
void ivl_tokenizer_legacy(ivl_tokenizer *tok, bool legacy);
bool ivl_tokenizer_is_legacy(const ivl_tokenizer *tok);

int ivl_tokenizer_size(const ivl_tokenizer *tok); /* vocabulary */
int ivl_tokenizer_bos(const ivl_tokenizer *tok); /* what stands before every text; -1: nothing does */
int ivl_tokenizer_eos(const ivl_tokenizer *tok);
int ivl_tokenizer_unk(const ivl_tokenizer *tok);

/* Id of a special token by its text, as "<|im_end|>"; -1: none. */
int ivl_tokenizer_special(const ivl_tokenizer *tok, const char *text);
/* The Jinja text that the model's files carry; NULL: none. */
const char *ivl_tokenizer_chat_template(const ivl_tokenizer *tok);

/* tokenizer.model or tokenizer.json, and tokenizer_config.json (not for a plain tokenizer.model of LLaMA's rules), in
 * DIR, each atomically. */
ivl_status ivl_tokenizer_save(const ivl_tokenizer *tok, const char *dir);
/* The byte-level BPE behind it, for writing it elsewhere (data/bpe.h); NULL: it is a sentencepiece model. */
const struct ivl_bpe *ivl_tokenizer_bpe(const ivl_tokenizer *tok);
/* The vocabulary as metadata of a GGUF file; name is for messages. IVL_EUNSUPPORTED: a sentencepiece model of a kind
 * that those do not hold. */
ivl_status ivl_tokenizer_put_gguf(const ivl_tokenizer *tok, const char *name, ivl_gguf_meta *m);

/* BOS (if there is one), then the text; special tokens in it, as "<s>" and "<|im_end|>", are single ones. *ids_p is
 * freed by the caller. */
ivl_status ivl_tokenizer_encode(const ivl_tokenizer *tok, const char *text, int32_t **ids_p, size_t *n_p);

/* The text of n ids, without the special ones; *text_p is freed by the caller. */
ivl_status ivl_tokenizer_decode(const ivl_tokenizer *tok, const int32_t *ids, size_t n, char **text_p);

/* ids[max_len] = BOS, prefix + text, EOS, then zeros (id 0 is padding); *len_p counts what is not padding. A
 * longer text is cut so that EOS stays last, as Hugging Face's truncation does: it makes room for the special
 * tokens first. Text beyond 1 KiB per token is not looked at. */
ivl_status ivl_text_encode(const ivl_tokenizer *tok, const char *prefix, const char *text, int max_len,
                           int32_t *ids, int32_t *len_p);

/* The contrastive form: prefix "summarize:", no space after it. */
ivl_status ivl_text_contrastive(const ivl_tokenizer *tok, const char *text, int max_len, int32_t *ids,
                                int32_t *len_p);

/* The training-time cleaning of captions: lower case (Unicode), each of .!"()*#:;~ becomes a space, runs of
 * white space become one space, at most `words` words (0: all). *out_p is freed by the caller. */
ivl_status ivl_text_clean(const char *text, int words, char **out_p);

/* Writes c as UTF-8; returns its bytes, at most 4. */
size_t ivl_utf8_put(char *out, uint32_t c);

/* The lower case of a code point by itself (Unicode; no rule that looks at its neighbours). */
uint32_t ivl_lower(uint32_t c);

/* text[n] with every byte that is not part of valid UTF-8 replaced by U+FFFD, and a 0 after it; freed by the
 * caller. */
ivl_status ivl_utf8_clean(const char *text, size_t n, char **out_p, size_t *n_p);

/* Bytes of the valid sequence that text[n] begins with, its code point in *c; 0: it begins with none. No surrogates, no
 * over-long forms, nothing beyond U+10FFFF. */
size_t ivl_utf8_next(const char *text, size_t n, uint32_t *c);

/* Trains a LLaMA-style vocabulary on a file of one text a line: BPE with byte fallback, split digits, no
 * normalisation, ids unk 0, bos 1, eos 2, no pad. The same corpus gives the same model. Writes `out`
 * atomically. */
ivl_status ivl_tokenizer_train(const char *corpus, int vocab, const char *out);

#endif
