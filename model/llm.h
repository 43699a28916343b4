/* LLaMA-type language models as files: what tensors one has, and config.json in Hugging Face's form. */
#ifndef IVL_MODEL_LLM_H
#define IVL_MODEL_LLM_H

#include "model/checkpoint.h"
#include "model/weights.h"

/* Sizes of a model folder with config.json, or of an open GGUF file (w; path is then not looked at). */
ivl_status ivl_llm_config_load(const char *path, const ivl_weights *w, ivl_text_config *c_p);
/* Atomically writes PATH, a config.json; dtype is that of the weights beside it. */
ivl_status ivl_llm_config_save(const ivl_text_config *c, ivl_dtype dtype, const char *path);

/* A tensor that a model of these sizes has. */
typedef struct ivl_llm_tensor { char name[96]; int rank; int64_t dim[2], elements; } ivl_llm_tensor;
/* All of them, layer by layer, *list_p freed by the caller. */
ivl_status ivl_llm_tensors(const ivl_text_config *c, ivl_llm_tensor **list_p, int *n_p);

/* Names and shapes of w against those sizes. Missing and mis-shaped tensors are IVL_EFORMAT; others are noted as extra,
 * but for rotary_emb.inv_freq. *report_p is set either way. */
ivl_status ivl_llm_compare(const ivl_weights *w, const ivl_text_config *c, const char *path, ivl_load_report *report_p);

#endif
