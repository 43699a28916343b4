/* The language model of a file or folder, on a device: InternVL-Chat folders with everything in them, and LLaMA-type
 * models alone, as Hugging Face folders or GGUF files. */
#ifndef IVL_TRAIN_LANGUAGE_H
#define IVL_TRAIN_LANGUAGE_H

#include "data/tokenizer.h"
#include "model/chat.h"

typedef struct ivl_language {
    ivl_chat_config config; /* no_tower where there is a language model alone */
    ivl_params     *params;
    ivl_tokenizer  *tok;
} ivl_language;

/* All of l; the caller frees it, also after a failure. A tokenizer that is larger than the model is refused. Quantised
 * weights stay quantised where compute is f32. */
ivl_status ivl_language_load(const char *model, ivl_device *dev, ivl_stream *s, ivl_dtype compute, ivl_language *l);
void       ivl_language_free(ivl_language *l);

#endif
