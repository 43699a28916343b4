/* LLaMA-type models in GGUF files (runtime/gguf.h): hyper-parameters, names and layout of tensors. Seen from outside a
 * model has Hugging Face's names and layout. Files hold q and k with the rows of each head interleaved, since ggml
 * rotates neighbours (2i, 2i + 1), while Hugging Face rotates halves (i, i + D/2). */
#ifndef IVL_MODEL_GGUF_H
#define IVL_MODEL_GGUF_H

#include "model/config.h"
#include "runtime/gguf.h"

/* general.architecture must be "llama"; every number is checked. The output is tied where output.weight is absent. */
ivl_status ivl_gguf_text_config(const ivl_gguf *f, ivl_text_config *c_p);
/* The same as metadata, for a file of tensors of type `main`. name may be NULL. */
void       ivl_gguf_put_text_config(ivl_gguf_meta *m, const ivl_text_config *c, ivl_dtype main, const char *name);

/* "blk.0.attn_q.weight" -> "model.layers.0.self_attn.q_proj.weight" and back; false: no such name. */
enum { IVL_GGUF_NAME = 128 };
bool ivl_gguf_to_hf(const char *gguf, char hf[IVL_GGUF_NAME]);
bool ivl_gguf_from_hf(const char *hf, char gguf[IVL_GGUF_NAME]);

/* Heads of a tensor whose rows are interleaved in files, by either of its names; 0: it is stored as it is. */
int  ivl_gguf_rope_heads(const ivl_text_config *c, const char *name);
/* Row of the file that holds row `row` of the model, of `rows` rows in `heads` heads; and back. heads 0: the same. */
int64_t ivl_gguf_file_row(int64_t row, int64_t rows, int heads);
int64_t ivl_gguf_model_row(int64_t row, int64_t rows, int heads);
/* Elements [first, first + n) in the model's layout. */
ivl_status ivl_gguf_read_hf(const ivl_gguf_tensor *t, const ivl_text_config *c, int64_t first, int64_t n, ivl_dtype to,
                            void *dst);

#endif
