/* The LLaMA decoder as InternVL's text encoder (reference facts 1.3). */
#ifndef IVL_MODEL_LLAMA_H
#define IVL_MODEL_LLAMA_H

#include "model/scope.h"

/* ids i32[B,N], right padded, len i32[B] -> [B,N,C] before the final norm. states (NULL or room for layers)
 * receives the input of every layer. */
ivl_val ivl_llama(const ivl_scope *s, ivl_val ids, ivl_val len, ivl_val *states);
/* The final norm. */
ivl_val ivl_llama_norm(const ivl_scope *s, ivl_val x);

#endif
