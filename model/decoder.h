/* A language model that writes: one pass over the prompts, then a token of every row at a time, from a cache of keys
 * and values. Planned once for the longest answer: a token costs launches, one small copy in and the logits out. */
#ifndef IVL_MODEL_DECODER_H
#define IVL_MODEL_DECODER_H

#include "model/llama.h"

/* What writes. params, config and text must outlive the decoder. */
typedef struct ivl_decoder_model {
    const ivl_params       *params;
    const ivl_model_config *config; /* of the scope that `record` sees */
    const ivl_text_config  *text;
    const char             *prefix; /* of its tensors' names */
    ivl_dtype               dtype;
} ivl_decoder_model;

/* The prompts as the decoder takes them in. */
typedef struct ivl_prompt {
    ivl_val  x;       /* embeddings [B,N,C], padded on the right */
    ivl_val  vision;  /* image states for the queries' cross attention; IVL_NONE: none */
    int      queries; /* first tokens of x that are queries */
    ivl_mask mask;
} ivl_prompt;
/* Declares inputs and records the embeddings; called once. */
typedef ivl_status (*ivl_prompt_record)(void *ctx, const ivl_scope *s, ivl_prompt *p);

/* The prompt of captions: InternVL's queries, which look at the image, before ids i32[B,L] (ITG's mask). */
ivl_prompt ivl_caption_prompt(const ivl_scope *s, ivl_val vision, ivl_val ids);

typedef struct ivl_decoder_options {
    int batch, beams; /* prompts; rows for each of them */
    int most;         /* tokens of prompt and answer together, queries included */
} ivl_decoder_options;

typedef struct ivl_decoder ivl_decoder;
ivl_status ivl_decoder_create(ivl_device *dev, ivl_stream *s, const ivl_decoder_model *m, const ivl_decoder_options *o,
                              ivl_prompt_record record, void *ctx, ivl_decoder **d_p);
void       ivl_decoder_destroy(ivl_decoder *d);
/* The plan whose inputs `record` declared: write them before a prefill. */
ivl_plan  *ivl_decoder_prompts(ivl_decoder *d);
/* The plan of one token of every row. */
ivl_plan  *ivl_decoder_steps(ivl_decoder *d);

/* Takes the prompts in, of len[batch] tokens each (queries included); logits[rows,V] of the token after. */
ivl_status ivl_decoder_prefill(ivl_decoder *d, const int32_t *len, float *logits);
/* Appends token[rows]; logits[rows,V] of the one after. IVL_EINVAL when there is no room left. */
ivl_status ivl_decoder_step(ivl_decoder *d, const int32_t *token, float *logits);
/* Row r goes on from what row parent[r] was. */
ivl_status ivl_decoder_reorder(ivl_decoder *d, const int32_t *parent);

#endif
