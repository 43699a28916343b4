#include "train/decode_rules.h"

#include <math.h>

bool ivl_decode_ends(const ivl_decode_options *o, int32_t token)
{
    for (int i = 0; i < o->n_eos; i++)
        if (o->eos[i] == token) return true;
    return false;
}

static int32_t at(const ivl_decode_seen *s, int i)
{
    return i < s->n_prompt ? s->prompt[i] : s->token[i - s->n_prompt];
}

static void penalise(const ivl_decode_seen *s, double penalty, float *score, int vocab, uint8_t *mark)
{
    for (int i = 0; i < s->n_prompt + s->n; i++) {
        int32_t t = at(s, i);
        if (t < 0 || t >= vocab || mark[t]) continue;
        mark[t] = 1;
        score[t] = score[t] < 0 ? score[t] * (float)penalty : score[t] / (float)penalty;
    }
    for (int i = 0; i < s->n_prompt + s->n; i++) {
        int32_t t = at(s, i);
        if (t >= 0 && t < vocab) mark[t] = 0;
    }
}

/* Bans what followed earlier occurrences of the last size - 1 tokens. */
static void block_ngrams(const ivl_decode_seen *s, int size, float *score, int vocab)
{
    int n = s->n_prompt + s->n, tail = n - (size - 1);
    if (tail < 0) return;
    for (int from = 0; from + size <= n; from++) {
        int k = 0;
        while (k < size - 1 && at(s, from + k) == at(s, tail + k)) k++;
        int32_t t = at(s, from + size - 1);
        if (k == size - 1 && t >= 0 && t < vocab) score[t] = -INFINITY;
    }
}

void ivl_decode_rules(const ivl_decode_options *o, ivl_decode_seen seen, float *score, int vocab, uint8_t *mark)
{
    if (o->repetition_penalty != 1) penalise(&seen, o->repetition_penalty, score, vocab, mark);
    if (o->no_repeat_ngram > 0) block_ngrams(&seen, o->no_repeat_ngram, score, vocab);
    if (seen.n >= o->min_new) return;
    for (int i = 0; i < o->n_eos; i++) score[o->eos[i]] = -INFINITY;
}

void ivl_log_softmax(float *x, int n)
{
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        if (x[i] > top) top = x[i];
    for (int i = 0; i < n; i++) sum += exp(x[i] - top);
    double log_sum = top + log(sum);
    for (int i = 0; i < n; i++) x[i] = (float)(x[i] - log_sum);
}
