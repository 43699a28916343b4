/* LoRA (2106.09685): a linear y = x W^T + b becomes y + alpha/r (x A^T) B^T, A[r,in] and B[out,r] train, W does not. B
 * begins as zero, so a fresh adapter changes nothing. Adapters are files as PEFT writes them: adapter_config.json and
 * adapter_model.safetensors. What else was trained lies there whole (PEFT's modules_to_save) and replaces the model's.
 * A config.json beside them is that of the merged model, for parts that it did not have. */
#ifndef IVL_MODEL_LORA_H
#define IVL_MODEL_LORA_H

#include "model/params.h"

/* Does the weight of this name get A and B? Not given a rank, none does. */
bool ivl_lora_adapts(const ivl_lora *l, const char *name);
/* Does it belong to a part that is adapted, and so stays as it is? Cross attention is not the decoder's own. */
bool ivl_lora_freezes(const ivl_lora *l, const char *name);
/* "X.weight" -> "X.lora_A.weight" (which 'A') or "X.lora_B.weight". */
void ivl_lora_name(const char *weight, char which, char *text, size_t n);

/* For parameters made with options.lora: W += alpha/r B A, in double, then B = 0: the model computes the same, now
 * without its adapter. */
ivl_status ivl_lora_fold(const ivl_params *p, ivl_stream *s);

/* Writes the adapter of p to DIR, made if need be, and whatever else trains. */
ivl_status ivl_lora_save(const char *dir, const ivl_params *p, ivl_stream *s);
/* What an adapter's files say: rank, alpha, and by its tensors' names whose it is. */
ivl_status ivl_lora_config(const char *dir, ivl_lora *l_p);
/* Fills A, B and whole tensors of p, whose options.lora was what ivl_lora_config says. */
ivl_status ivl_lora_load(const char *dir, const ivl_params *p, ivl_stream *s);

/* Adds an adapter to weights: W += alpha/r B A, and puts whole tensors in place. Each of its tensors must find its
 * weight, of the right shape; else nothing is changed and the message names it. p is made without options.lora, and
 * filled. */
ivl_status ivl_lora_merge(const char *dir, const ivl_params *p, ivl_stream *s);
/* The same on any model folder with safetensors, without a device: writes the sum to OUT in `dtype` (f32, bf16, f16),
 * and copies configuration and tokenizer. Tensors that the model lacks are added if the adapter has a config.json. */
ivl_status ivl_lora_merge_files(const char *model, const char *dir, const char *out, ivl_dtype dtype);

#endif
