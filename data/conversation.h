/* Conversations about pictures, as text and as token ids: the prompt templates, and what supervised fine-tuning learns
 * of them. A picture stands in a question as the mark "<image>" and in ids as IVL_IMAGE_TOKEN; the model puts the
 * picture's tokens in its place. */
#ifndef IVL_DATA_CONVERSATION_H
#define IVL_DATA_CONVERSATION_H

#include "data/tokenizer.h"

enum { IVL_IMAGE_TOKEN = -200, IVL_IGNORE = -100 };

typedef struct ivl_turn { const char *question, *answer; } ivl_turn; /* answer NULL: not given yet (last turn only) */

typedef enum ivl_template {
    IVL_TEMPLATE_VICUNA, /* "SYSTEM USER: q ASSISTANT: a</s>USER: ..." (LLaVA's "v1") */
    IVL_TEMPLATE_PLAIN,  /* "<image>a\n": LLaVA-1.5's first stage; of a question only its picture marks; one turn */
    IVL_TEMPLATE_CHATML  /* "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n" */
} ivl_template;

/* "vicuna", "plain", "chatml". */
ivl_status  ivl_template_parse(const char *name, ivl_template *t_p);
const char *ivl_template_name(ivl_template t);
/* What stands before the first turn unless the caller says otherwise; "": nothing. */
const char *ivl_template_system(ivl_template t);

/* What ends an answer: "</s>", "\n", "<|im_end|>". Where the tokenizer has it as a special token, generation stops at
 * it beside EOS. */
const char *ivl_template_end(ivl_template t);
/* What the model's own chat template is, told by its text, or by the special tokens where there is none. *system_p:
 * the system message that it puts where a conversation brings none, freed by the caller; NULL: the template's. A form
 * that is not known here is IVL_EUNSUPPORTED. */
ivl_status  ivl_template_detect(const ivl_tokenizer *tok, ivl_template *t_p, char **system_p);
ivl_status  ivl_template_of_jinja(const char *jinja, ivl_template *t_p, char **system_p);

/* The text of n turns, freed by the caller; one whose last answer is NULL ends where generation begins. system: NULL:
 * the template's own. */
ivl_status ivl_prompt_text(ivl_template t, const char *system, const ivl_turn *turn, int n, char **text_p);

/* How text becomes ids; ivl_codec_of makes a tokenizer's. */
typedef struct ivl_codec {
    /* Ids of a text that is not empty, special tokens in it as single ones, nothing in front; freed by the caller. */
    ivl_status (*encode)(const void *ctx, const char *text, int32_t **ids_p, size_t *n_p);
    const void *ctx;
    int32_t bos;  /* stands before everything; -1: nothing does */
    bool uniform; /* text gives the same ids behind a special token as at the start; false: a LLaMA-type tokenizer that
                   * is not legacy */
} ivl_codec;
ivl_codec ivl_codec_of(const ivl_tokenizer *tok); /* as it is set now; tok must outlive it */

/* Ids of a prompt: BOS, then the stretches between picture marks, each encoded by itself, joined by IVL_IMAGE_TOKEN.
 * *ids_p is freed by the caller. */
ivl_status ivl_prompt_encode(const ivl_codec *c, const char *text, int32_t **ids_p, size_t *n_p);

/* How many of id[n] are marks of pictures. */
int64_t ivl_prompt_pictures(const int32_t *id, size_t n);

/* id[n] with each picture's mark replaced by its k positions: to ids, index and labels from place `at` of a flat batch
 * on, the first picture being number `picture` of the batch. index: row of the pictures [n,k] at this place, else -1;
 * inverse, of that row: this place. At pictures ids are 0. labels are of the places from `at` on, IVL_IGNORE at
 * pictures; they and label may both be NULL. Returns how many places it took. */
typedef struct ivl_splice { int32_t *ids, *index, *inverse, *labels; int64_t at, picture, k; } ivl_splice;
int64_t ivl_prompt_splice(const ivl_splice *to, const int32_t *id, const int32_t *label, size_t n);

/* A conversation to learn: labels[i] is ids[i] where it is part of an answer or its end, else IVL_IGNORE (not shifted:
 * position i - 1 predicts it). learns is false where no label is left: the boundaries of answers come from encoding
 * rounds again, as in the public code, and a sample whose rounds do not add up to the whole (a round with a second
 * " ASSISTANT: ", say) is to be discarded. */
typedef struct ivl_sft { int32_t *ids, *labels; size_t n; bool learns; } ivl_sft;
ivl_status ivl_sft_make(const ivl_codec *c, ivl_template t, const char *system, const ivl_turn *turn, int n,
                        ivl_sft *sft_p);
/* Cuts the end so that at most max_tokens remain, each picture counting per_image; a picture is kept whole or not. */
void   ivl_sft_truncate(ivl_sft *sft, size_t max_tokens, size_t per_image);
void   ivl_sft_free(ivl_sft *sft); /* accepts a zeroed one */
/* Tokens that the model sees. */
size_t ivl_sft_tokens(const ivl_sft *sft, size_t per_image);

#endif
