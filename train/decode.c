#include "train/decode.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/rng.h"
#include "train/decode_rules.h"

ivl_decode_options ivl_decode_defaults(void)
{
    return (ivl_decode_options){ .beams = 1, .max_new = 30, .length_penalty = 1, .repetition_penalty = 1, .top_p = 1 };
}

static ivl_status check(const ivl_decode_options *o, const ivl_decode_model *m, const ivl_decode_rows *rows)
{
    IVL_CHECK(rows->n > 0, IVL_EINVAL, "%d rows to decode", rows->n);
    IVL_CHECK(o->beams >= 1, IVL_EINVAL, "%d beams", o->beams);
    IVL_CHECK(o->max_new >= 1 && o->min_new >= 0, IVL_EINVAL, "%d to %d new tokens", o->min_new, o->max_new);
    IVL_CHECK(o->n_eos >= 0 && o->n_eos <= IVL_DECODE_EOS, IVL_EINVAL, "%d end tokens; at most %d", o->n_eos,
              IVL_DECODE_EOS);
    IVL_CHECK(m->vocab >= 2 && m->vocab > o->n_eos, IVL_EINVAL, "a vocabulary of %d tokens", m->vocab);
    for (int i = 0; i < o->n_eos; i++)
        IVL_CHECK(o->eos[i] >= 0 && o->eos[i] < m->vocab, IVL_EINVAL, "end token %d; the vocabulary has %d",
                  (int)o->eos[i], m->vocab);
    IVL_CHECK(o->repetition_penalty > 0, IVL_EINVAL, "repetition penalty %g; it is above 0, 1 turns it off",
              o->repetition_penalty);
    IVL_CHECK(o->no_repeat_ngram >= 0, IVL_EINVAL, "n-grams of %d tokens", o->no_repeat_ngram);
    IVL_CHECK(o->temperature >= 0 && isfinite(o->temperature), IVL_EINVAL, "temperature %g", o->temperature);
    IVL_CHECK(o->top_p > 0, IVL_EINVAL, "top-p %g; it is above 0, 1 turns it off", o->top_p);
    IVL_CHECK(o->top_k >= 0, IVL_EINVAL, "top-k %d; 0 turns it off", o->top_k);
    IVL_CHECK(isfinite(o->length_penalty), IVL_EINVAL, "length penalty %g", o->length_penalty);
    IVL_CHECK(o->beams == 1 || !(o->temperature > 0), IVL_EINVAL,
              "%d beams and temperature %g: beam search does not sample", o->beams, o->temperature);
    IVL_CHECK(o->beams == 1 || m->reorder, IVL_EUNSUPPORTED, "%d beams: the model cannot reorder its cache", o->beams);
    return IVL_OK;
}

typedef struct state {
    const ivl_decode_options *o;
    const ivl_decode_model   *m;
    const ivl_decode_rows    *rows;
    ivl_rng  rng;
    uint8_t *mark;
    struct likely { double p; int32_t token; } *likely; /* of vocab; sampling only */
    int32_t *token;                                    /* chosen now, per row */
    bool    *ended;
} state;

static ivl_status most_likely(const float *score, int n, int32_t *best_p)
{
    int best = 0;
    for (int i = 0; i < n; i++) {
        IVL_CHECK(!isnan(score[i]), IVL_EINVAL, "the model's score of token %d is not a number", i);
        if (score[i] > score[best]) best = i;
    }
    *best_p = best;
    return IVL_OK;
}

static int by_probability(const void *a, const void *b)
{
    const struct likely *x = a, *y = b;
    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

/* How many of the sorted list may be drawn, and their sum: a token stays while those before it hold less than top_p
 * of what top_k left. */
static int keep(const ivl_decode_options *o, const struct likely *l, int n, double all, double *sum_p)
{
    double most = all, sum = 0;
    int k = 0;
    if (o->top_k && o->top_k < n) {
        n = o->top_k, most = 0;
        for (int i = 0; i < n; i++) most += l[i].p;
    }
    for (; k < n && (k == 0 || o->top_p >= 1 || sum < o->top_p * most); k++) sum += l[k].p;
    *sum_p = sum;
    return k;
}

static ivl_status draw(state *s, const float *score, int row, int step, int32_t *token_p)
{
    int n = s->m->vocab, k = 0;
    int32_t best = 0;
    IVL_TRY(most_likely(score, n, &best));
    double all = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        double p = i == best ? 1 : exp((score[i] - (double)score[best]) / s->o->temperature);
        s->likely[i] = (struct likely){ p, i };
        all += p;
    }
    if (s->o->top_p < 1 || s->o->top_k) qsort(s->likely, (size_t)n, sizeof *s->likely, by_probability);
    n = keep(s->o, s->likely, n, all, &sum);
    uint64_t key = s->rows->key ? s->rows->key[row] : (uint64_t)row;
    double u = sum * ivl_rng_uniform(s->rng, (uint32_t)step, 0, key);
    while (k + 1 < n && u >= s->likely[k].p) u -= s->likely[k++].p;
    *token_p = s->likely[k].token;
    return IVL_OK;
}

/* Chooses a token for every row that goes on. */
static ivl_status choose(state *s, float *logits, int step, int32_t *out, int32_t *len, bool *more_p)
{
    const ivl_decode_options *o = s->o;
    *more_p = false;
    for (int r = 0; r < s->rows->n; r++) {
        float *score = logits + (size_t)r * s->m->vocab;
        int32_t *mine = out + (size_t)r * o->max_new;
        s->token[r] = o->pad;
        if (s->ended[r]) continue;
        ivl_decode_seen seen = { .token = mine, .n = step };
        if (s->rows->prompt) seen.prompt = s->rows->prompt[r], seen.n_prompt = s->rows->prompt_n[r];
        ivl_decode_rules(o, seen, score, s->m->vocab, s->mark);
        IVL_TRY(o->temperature > 0 ? draw(s, score, r, step, &s->token[r])
                                   : most_likely(score, s->m->vocab, &s->token[r]));
        mine[step] = s->token[r], len[r] = step + 1;
        s->ended[r] = ivl_decode_ends(o, s->token[r]);
        if (s->m->heard && !s->m->heard(s->m->ctx, r, s->token[r])) s->ended[r] = true;
        *more_p = *more_p || !s->ended[r];
    }
    return IVL_OK;
}

static ivl_status go(state *s, float *logits, int32_t *out, int32_t *len)
{
    for (int64_t i = 0; i < (int64_t)s->rows->n * s->o->max_new; i++) out[i] = s->o->pad;
    for (int step = 0;;) {
        bool more = false;
        IVL_TRY(choose(s, logits, step, out, len, &more));
        if (!more || ++step == s->o->max_new) return IVL_OK;
        IVL_TRY(s->m->step(s->m->ctx, s->token, logits));
    }
}

ivl_status ivl_decode(const ivl_decode_options *o, const ivl_decode_model *m, const ivl_decode_rows *rows,
                      float *logits, int32_t *out, int32_t *len)
{
    IVL_TRY(check(o, m, rows));
    if (o->beams > 1) return ivl_decode_beams(o, m, rows, logits, out, len);
    size_t n = (size_t)rows->n, v = (size_t)m->vocab;
    state s = { .o = o, .m = m, .rows = rows, .rng = ivl_rng_make(o->seed, "decode") };
    s.mark = calloc(v, 1);
    s.token = calloc(n, sizeof *s.token);
    s.ended = calloc(n, sizeof *s.ended);
    s.likely = calloc(o->temperature > 0 ? v : 1, sizeof *s.likely);
    ivl_status r = s.mark && s.token && s.ended && s.likely
                       ? go(&s, logits, out, len)
                       : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for %d rows of %d tokens", rows->n,
                                  m->vocab);
    free(s.mark), free(s.token), free(s.ended), free(s.likely);
    return r;
}
