/* The C face of the sentencepiece library (C++); used by data/text.c and data/vocabulary.c. */
#ifndef IVL_DATA_SENTENCEPIECE_H
#define IVL_DATA_SENTENCEPIECE_H

#include <ivl/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ivl_sp ivl_sp;
typedef struct ivl_sp_info {
    int size, unk, bos, eos;
} ivl_sp_info; /* an id is -1 where the model has none */

/* `name` is for messages. */
ivl_status ivl_sp_open(const void *bytes, size_t n, const char *name, ivl_sp **sp_p, ivl_sp_info *info_p);
void       ivl_sp_close(ivl_sp *sp);
ivl_status ivl_sp_encode(const ivl_sp *sp, const char *text, size_t n, int32_t **ids_p, size_t *n_p);
ivl_status ivl_sp_decode(const ivl_sp *sp, const int32_t *ids, size_t n, char **text_p);

/* Hands out the next line of the corpus, or NULL at its end; the line lives until the next call. */
typedef const char *(*ivl_sp_next)(void *user, size_t *n_p);
ivl_status ivl_sp_train(ivl_sp_next next, void *user, int vocab, const char *name, char **model_p,
                        size_t *n_p);

#ifdef __cplusplus
}
#endif
#endif
