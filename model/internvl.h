/* InternVL-C: image and text encoders and the contrastive stage, assembled (2312.14238, sections 3.2 and 3.3). */
#ifndef IVL_MODEL_INTERNVL_H
#define IVL_MODEL_INTERNVL_H

#include "model/llama.h"
#include "model/vit.h"

/* Attention pooling x[B,N,C] -> [B,E] (reference facts 1.4): the query is the mean token; q, k and v have their own
 * LayerNorms. prefix "clip_projector" or "clip_projector2". */
ivl_val ivl_attn_pool(const ivl_scope *s, const char *prefix, ivl_val x);
/* InternVL-C image features [B,E], not normalised. */
ivl_val ivl_encode_image(const ivl_scope *s, const ivl_vit_input *in);
/* Text features [B,E], not normalised: the hidden state at `last` i32[B] (EOS), normed and projected. */
ivl_val ivl_encode_text(const ivl_scope *s, ivl_val ids, ivl_val len, ivl_val last);
/* Stage 1: the symmetric contrastive loss S[] of unit features. */
ivl_val ivl_stage1_loss(const ivl_scope *s, ivl_val image, ivl_val text);

#endif
