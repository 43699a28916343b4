/* What decoding does to one lane's scores before it chooses; for train/decode*.c. */
#ifndef IVL_TRAIN_DECODE_RULES_H
#define IVL_TRAIN_DECODE_RULES_H

#include "train/decode.h"

/* What a lane has seen: its row's prompt, then its own tokens. */
typedef struct ivl_decode_seen { const int32_t *prompt, *token; int n_prompt, n; } ivl_decode_seen;

bool ivl_decode_ends(const ivl_decode_options *o, int32_t token);

/* Repetition penalty, n-gram blocking, min_new; on logits or log-probabilities. mark[vocab] is zeroed scratch and is
 * left so. */
void ivl_decode_rules(const ivl_decode_options *o, ivl_decode_seen seen, float *score, int vocab, uint8_t *mark);

/* logits -> log-probabilities. */
void ivl_log_softmax(float *x, int n);

ivl_status ivl_decode_beams(const ivl_decode_options *o, const ivl_decode_model *m, const ivl_decode_rows *rows,
                            float *logits, int32_t *out, int32_t *len);

#endif
