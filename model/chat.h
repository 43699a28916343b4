/* InternVL-Chat: an image tower, projectors, and a language model (reference facts 1.6). In the tower "c" InternViT
 * alone is before one projector; in "d" the outputs of QLLaMA's queries come first, through a projector of their own.
 * Names of parameters in the model: the tower's as InternVL has them, "mm_projector.", and "llm." before the language
 * model's. In files (LLaVA's layout) the tower is under "model.vision_tower.vision_tower.", the projectors under
 * "model.mm_projector.", and the language model bare. */
#ifndef IVL_MODEL_CHAT_H
#define IVL_MODEL_CHAT_H

#include "model/internvl.h"

typedef struct ivl_chat_config {
    ivl_model_config tower;
    bool             no_tower;        /* a language model alone */
    bool             bare_vit;        /* the tower's names lack "vision_model.": tower "c" */
    ivl_text_config  llm;
    bool             two_projectors;  /* "d" */
    int              projector_depth; /* linears */
    bool             projector_norm;  /* a LayerNorm first */
    int              select_layer;    /* which ViT state: 0 is the embeddings */
    bool             class_token;     /* is kept */
    char             tower_name[128];
    /* How it was fine-tuned, where the configuration says so ("conversation_template", "system_message"; no public
     * keys): the prompt template's name, "" not told; the system message, if has_system. */
    char             form[16], system[512];
    bool             has_system;
} ivl_chat_config;

/* DIR/config.json, and the tower's config.json in the folder that it names, within DIR. */
ivl_status ivl_chat_config_load(const char *dir, ivl_chat_config *c_p);
/* Writes both, atomically each; dtype is that of the weights beside it. DIR is made if need be. */
ivl_status ivl_chat_config_save(const char *dir, const ivl_chat_config *c, ivl_dtype dtype);
/* Name in files of a parameter, malloc'd; NULL: out of memory. */
char      *ivl_chat_file_name(const ivl_chat_config *c, const char *name);
/* Tokens that one square picture of so many pixels a side becomes. */
int64_t    ivl_chat_picture_tokens(const ivl_chat_config *c, int64_t size);

/* Pictures -> [B,K,C] for the language model. */
ivl_val ivl_chat_pictures(const ivl_scope *s, const ivl_chat_config *c, const ivl_vit_input *in);
ivl_llama ivl_chat_llm(const ivl_scope *s, const ivl_chat_config *c);

/* Texts with pictures in them. A picture takes up K positions, one token each. */
typedef struct ivl_chat_input {
    ivl_val ids;     /* i32[B,N], padded on the right; 0 where a picture is */
    ivl_val len;     /* i32[B] */
    ivl_val index;   /* i32[B,N]: row of the pictures [n,K] at this position, or negative */
    ivl_val inverse; /* i32[n,K]: position in [B,N] of this row, or negative (a picture of a text without one) */
} ivl_chat_input;
/* Embeddings [B,N,C]. */
ivl_val ivl_chat_embed(const ivl_scope *s, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in);
/* What of the texts is learnt: A tokens of answers in each. */
typedef struct ivl_chat_answers {
    ivl_val answer;   /* i32[B,A]: place in [B,N] that predicts this token, or negative */
    ivl_val predicts; /* i32[B,N]: which of [B,A] this place predicts, or negative */
    ivl_val labels;   /* i32[B,A]: the token; negative: does not count */
} ivl_chat_answers;
/* Mean cross-entropy S[] of the answers' tokens; logits are made for these alone. hits S[] (may be NULL): the share of
 * tokens that are guessed right. */
ivl_val ivl_chat_loss(const ivl_scope *s, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in,
                      const ivl_chat_answers *a, ivl_val *hits);
/* Next-token logits [B,N,V]. */
ivl_val ivl_chat_logits(const ivl_scope *s, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in);

#endif
