/* Sentencepiece models of LLaMA's kind (BPE, no normalisation) as the metadata of GGUF files have them, and back. A
 * tokenizer.model is a protocol buffer (github.com/google/sentencepiece, src/sentencepiece_model.proto); GGUF keeps its
 * pieces, scores and types, and the type numbers are the same. */
#ifndef IVL_DATA_SP_PROTO_H
#define IVL_DATA_SP_PROTO_H

#include "data/sentencepiece.h"
#include "runtime/gguf.h"

/* A piece: normal 1, unknown 2, control 3, user-defined 4, unused 5, byte 6. */
enum { IVL_SP_NORMAL = 1, IVL_SP_UNKNOWN, IVL_SP_CONTROL, IVL_SP_USER, IVL_SP_UNUSED, IVL_SP_BYTE };
typedef struct ivl_sp_piece { const char *p; size_t n; float score; int type; } ivl_sp_piece;

/* Pieces of the model in bytes[n], pointing into it; *list_p is freed by the caller. */
ivl_status ivl_sp_pieces(const void *bytes, size_t n, const char *name, ivl_sp_piece **list_p, int64_t *n_p);

/* A tokenizer.model, malloc'd, of a file whose tokenizer.ggml.model is "llama". */
ivl_status ivl_sp_from_gguf(const ivl_gguf *f, char **model_p, size_t *n_p);
/* IVL_EUNSUPPORTED for models that are not of LLaMA's kind. */
ivl_status ivl_sp_put_gguf(const void *model, size_t n, const char *name, const ivl_sp_info *ids, ivl_gguf_meta *m);

#endif
