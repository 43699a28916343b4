/* Models from one kind of file to another: LLaMA-type language models between Hugging Face folders (config.json,
 * safetensors, tokenizer) and GGUF, and the public .pth files of InternVL into folders. Tensors
 * pass through in pieces, so memory does not grow with the model. */
#ifndef IVL_TRAIN_CONVERT_H
#define IVL_TRAIN_CONVERT_H

#include "model/checkpoint.h"

typedef struct ivl_convert_options {
    bool      gguf;      /* write a GGUF file, else a folder */
    bool      has_dtype; /* else that of the source where the target can hold it, else f32 */
    ivl_dtype dtype;     /* f32, f16, bf16; in GGUF files also q8_0, q4_0, q4_1 */
    const char *config;  /* of a .pth file: an InternVL configuration (ivl_config_load); NULL: sizes are those of its
                            shapes, with heads of width 128 */
} ivl_convert_options;

typedef struct ivl_convert_report {
    ivl_load_report load; /* extra tensors, which are left out, and those stored otherwise */
    ivl_dtype   dtype;    /* of the matrices */
    int         tensors;
    int64_t     elements;
    const char *tokenizer; /* what became of it, a word or two */
} ivl_convert_report;

/* In GGUF files vectors stay f32, the embedding table and the output of a 4-bit file are q8_0, and matrices whose rows
 * are no multiple of 32 are f16 where a quantised type was asked for. Whole or not at all: each file replaces an older
 * one when it is complete. The report is set also on failure, and freed by the caller. */
ivl_status ivl_convert_model(const char *in, const char *out, const ivl_convert_options *o, ivl_convert_report *r_p);
void       ivl_convert_report_free(ivl_convert_report *r);

#endif
