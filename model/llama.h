/* The LLaMA decoder: InternVL's text encoder, QLLaMA (with queries that look at the image), or a plain language model
 * (reference facts 1.3). */
#ifndef IVL_MODEL_LLAMA_H
#define IVL_MODEL_LLAMA_H

#include "model/scope.h"

/* Which decoder: its sizes and the prefix of its tensors' names, "qllama." or "". */
typedef struct ivl_llama { const ivl_scope *s; const ivl_text_config *c; const char *prefix; } ivl_llama;
ivl_llama ivl_qllama(const ivl_scope *s); /* s->c->text under "qllama." */

/* Keys and values of every layer, external tensors [R,M,kv_heads*D]. New ones go to rows at[b] .. of their sample. */
typedef struct ivl_kv {
    const ivl_tensor *k, *v; /* of each layer */
    ivl_val           at;    /* i32[B] */
    bool              read;  /* attention reads the cache, else only what is new */
} ivl_kv;

typedef struct ivl_llama_input {
    ivl_val  len;     /* i32[B]: valid tokens, queries (and what the cache holds) included; IVL_NONE: all */
    ivl_mask mask;
    int      queries; /* the first tokens: what SPLIT and PREFIX set apart, and what looks at the image */
    ivl_val  pos;     /* i32[B,N]: positions of rotary embedding; IVL_NONE: 0, 1, ... */
    const ivl_kv *kv; /* NULL: no cache */
    ivl_val  vision;  /* T[B/R,M,D]: states of the images, shared by R copies of the batch; IVL_NONE: no image */
} ivl_llama_input;

/* x[B,N,C] -> [B,N,C] before the final norm. states (NULL or room for layers) receives the input of every layer. */
ivl_val ivl_llama_layers(const ivl_llama *m, ivl_val x, const ivl_llama_input *in, ivl_val *states);
/* ids i32[B,N] -> [B,N,C] */
ivl_val ivl_llama_embed(const ivl_llama *m, ivl_val ids);
/* The final norm. */
ivl_val ivl_llama_norm(const ivl_llama *m, ivl_val x);
/* Next-token logits of normed states: [..,V]. */
ivl_val ivl_llama_logits(const ivl_llama *m, ivl_val x);

#endif
