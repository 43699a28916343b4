/* InternViT: a plain pre-norm vision transformer (InternVL 2312.14238, section 3.2; reference facts 1.1). */
#ifndef IVL_MODEL_VIT_H
#define IVL_MODEL_VIT_H

#include "model/scope.h"

typedef struct ivl_vit_input {
    ivl_val        pixels; /* f32[B,3,H,W] normalised, or u8[B,H,W,3] */
    ivl_val        keep;   /* i32[B,K]: patches that survive masking; IVL_NONE: all */
    ivl_val        resize; /* T[1+h*w,1+g*g]: position embedding to this image's grid; IVL_NONE: same grid */
    const ivl_val *drop;   /* 2 per layer (attention, MLP): drop-path scale f32[B]; NULL: none */
} ivl_vit_input;

/* -> last hidden state [B,1+K,C]; there is no final norm. states (NULL or room for layers + 1) receives the
 * embeddings and every block's output. */
ivl_val ivl_vit(const ivl_scope *s, const ivl_vit_input *in, ivl_val *states);
/* Position embedding [1+h*w,C] for the image's grid. */
ivl_val ivl_vit_positions(const ivl_scope *s, ivl_val resize);

#endif
