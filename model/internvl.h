/* InternVL: image and text encoders, the contrastive and the generative stage, assembled (2312.14238, sections 3.2 and
 * 3.3; reference facts 1.3, 1.4, 4). */
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

/* QLLaMA's query outputs [B,Q,C], final-normed, from the ViT's states. */
ivl_val ivl_query_states(const ivl_scope *s, ivl_val vision);
/* InternVL-G image features [B,E]: the sum of two unit vectors. */
ivl_val ivl_encode_image_g(const ivl_scope *s, ivl_val vision);

/* Stage 2 in one QLLaMA pass over 3B rows: image-text matching, contrast, generation. Retrieval fine-tuning has the
 * same form with matching, matching, contrast. */
typedef struct ivl_stage2_input {
    ivl_val vision;     /* ViT states [B,M,D] */
    ivl_val ids;        /* i32[3B,L]: stage 2: first B - B/2 negatives then positives of ITM; ITC's texts; ITG's.
                         * Retrieval: negatives, positives, ITC's texts */
    ivl_val len;        /* i32[3B]: valid tokens, the queries included */
    ivl_val last;       /* i32[B]: position of the last valid token of ITC's texts, the queries included */
    ivl_val itm_labels; /* i32[B] (retrieval: [2B]): 1 a true pair, 0 not, negative: does not count */
    ivl_val itc_ignore; /* i32[B]: 1: an empty text; IVL_NONE: none is */
    ivl_val itg_labels; /* i32[B,L]: the next token, negative: does not count. Unused by retrieval */
    ivl_val same_image; /* retrieval only: S[B,B]: the texts of the same image, equal parts that sum to 1/2
                         * in each row, for either direction is half of the loss */
} ivl_stage2_input;
typedef struct ivl_stage2_output {
    ivl_val itm_logits;         /* [B,2] (retrieval: [2B,2]) */
    ivl_val image, text;        /* unit features [B,E] */
    ivl_val itg_logits;         /* [B,L,V]; none in retrieval */
    ivl_val itm, itc, itg;      /* losses S[] */
    ivl_val itm_hits, itg_hits; /* share of right answers S[] */
} ivl_stage2_output;
/* Do picture and text match: logits [R*B,2] of (no, yes) for ids i32[R*B,L], vision [B,M,D]: row r * B + b looks at
 * picture b. len i32[R*B]: valid tokens, the queries included. */
ivl_val ivl_match_logits(const ivl_scope *s, ivl_val vision, ivl_val ids, ivl_val len);
ivl_stage2_output ivl_stage2(const ivl_scope *s, const ivl_stage2_input *in);
ivl_stage2_output ivl_retrieval(const ivl_scope *s, const ivl_stage2_input *in);

#endif
