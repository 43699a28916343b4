/* Beam search as transformers 4.37 does it. Running beams are compared by the plain sum of their log-probabilities;
 * finished ones by sum / length^length_penalty, their EOS counted in the length. A row stops once it has `beams`
 * finished hypotheses and the best that runs, at this length, would not beat the worst of them. Sums are floats, as
 * there: two candidates that differ by less than a float tells are equal. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/decode_rules.h"

typedef struct hypothesis { double score; int n; int32_t *token; } hypothesis; /* token[n] is without EOS */
typedef struct candidate { float score; int64_t at; } candidate;              /* at = beam * vocab + token */

typedef struct search {
    const ivl_decode_options *o;
    const ivl_decode_model   *m;
    const ivl_decode_rows    *rows;
    int beams, lanes, n;            /* n tokens so far */
    float *score;                   /* per lane */
    int32_t *seq, *next, *token, *parent; /* seq, next[lanes,max_new] */
    hypothesis *finished;           /* [rows, beams + 1] */
    int *n_finished;
    bool *done;
    candidate *top;                 /* the best of one row */
    int n_top;
    uint8_t *mark;
    int32_t *kept;                  /* tokens of finished ones */
} search;

static int32_t *seq_of(const search *s, int lane) { return s->seq + (size_t)lane * s->o->max_new; }

/* Drops the worst when there are too many, the oldest among equals. */
static void add(search *s, int row, double sum, int length, const int32_t *token, int n)
{
    hypothesis *h = s->finished + (size_t)row * (s->beams + 1);
    int count = s->n_finished[row];
    h[count].score = sum / pow(length, s->o->length_penalty), h[count].n = n;
    if (n) memcpy(h[count].token, token, (size_t)n * sizeof *token);
    if (count < s->beams) {
        s->n_finished[row]++;
        return;
    }
    int worst = 0;
    for (int i = 1; i <= count; i++)
        if (h[i].score < h[worst].score) worst = i;
    hypothesis gone = h[worst];
    memmove(h + worst, h + worst + 1, (size_t)(count - worst) * sizeof *h);
    h[count] = gone; /* its memory */
}

static double worst_of(const search *s, int row)
{
    double worst = INFINITY;
    for (int i = 0; i < s->n_finished[row]; i++) {
        double score = s->finished[(size_t)row * (s->beams + 1) + i].score;
        if (score < worst) worst = score;
    }
    return worst;
}

/* A sorted list of the best n_top candidates, the first among equals before the others. */
static void offer(search *s, int *count, candidate c)
{
    int i = *count;
    if (i == s->n_top && !(c.score > s->top[i - 1].score)) return;
    if (i < s->n_top) (*count)++;
    else i--;
    for (; i > 0 && c.score > s->top[i - 1].score; i--) s->top[i] = s->top[i - 1];
    s->top[i] = c;
}

static ivl_status rank_row(search *s, int row, float *logits)
{
    int count = 0, v = s->m->vocab;
    for (int b = 0; b < s->beams; b++) {
        int lane = row * s->beams + b;
        float *x = logits + (size_t)lane * v;
        ivl_decode_seen seen = { .token = seq_of(s, lane), .n = s->n };
        if (s->rows->prompt) seen.prompt = s->rows->prompt[row], seen.n_prompt = s->rows->prompt_n[row];
        ivl_log_softmax(x, v);
        ivl_decode_rules(s->o, seen, x, v, s->mark);
        for (int i = 0; i < v; i++) {
            IVL_CHECK(!isnan(x[i]), IVL_EINVAL, "the model's score of token %d is not a number", i);
            offer(s, &count, (candidate){ x[i] + s->score[lane], (int64_t)b * v + i });
        }
    }
    return IVL_OK;
}

/* From the candidates: the lanes' next tokens and parents, and hypotheses that end here. */
static void extend_row(search *s, int row)
{
    int length = s->n + 1, live = 0, first = row * s->beams;
    for (int rank = 0; rank < s->n_top && live < s->beams; rank++) {
        candidate c = s->top[rank];
        int lane = first + (int)(c.at / s->m->vocab);
        int32_t token = (int32_t)(c.at % s->m->vocab);
        if (!ivl_decode_ends(s->o, token)) {
            s->parent[first + live] = lane, s->token[first + live] = token;
            s->score[first + live++] = c.score;
        } else if (rank < s->beams) { /* one below the best `beams` is discarded */
            add(s, row, c.score, length, seq_of(s, lane), s->n);
        }
    }
    double bound = s->top[0].score / pow(length, s->o->length_penalty);
    s->done[row] = s->n_finished[row] >= s->beams && worst_of(s, row) >= bound;
}

static ivl_status advance(search *s, float *logits)
{
    for (int row = 0; row < s->rows->n; row++) {
        if (!s->done[row]) {
            IVL_TRY(rank_row(s, row, logits));
            extend_row(s, row);
            continue;
        }
        for (int lane = row * s->beams; lane < (row + 1) * s->beams; lane++)
            s->parent[lane] = lane, s->token[lane] = s->o->pad;
    }
    for (int lane = 0; lane < s->lanes; lane++) {
        int32_t *to = s->next + (size_t)lane * s->o->max_new;
        memcpy(to, seq_of(s, s->parent[lane]), (size_t)s->n * sizeof *to);
        to[s->n] = s->token[lane];
    }
    int32_t *old = s->seq;
    s->seq = s->next, s->next = old;
    s->n++;
    return IVL_OK;
}

static bool all_done(const search *s)
{
    for (int row = 0; row < s->rows->n; row++)
        if (!s->done[row]) return false;
    return true;
}

/* The best of each row, the last among equals. */
static void finish(search *s, int32_t *out, int32_t *len)
{
    for (int row = 0; row < s->rows->n; row++) {
        for (int b = 0; b < s->beams && !s->done[row]; b++) {
            int lane = row * s->beams + b;
            add(s, row, s->score[lane], s->n, seq_of(s, lane), s->n);
        }
        const hypothesis *h = s->finished + (size_t)row * (s->beams + 1), *best = h;
        for (int i = 1; i < s->n_finished[row]; i++)
            if (h[i].score >= best->score) best = h + i;
        int32_t *mine = out + (size_t)row * s->o->max_new;
        for (int i = 0; i < s->o->max_new; i++) mine[i] = i < best->n ? best->token[i] : s->o->pad;
        len[row] = best->n;
        if (best->n < s->o->max_new && s->o->n_eos) mine[len[row]++] = s->o->eos[0];
    }
}

static ivl_status go(search *s, float *logits, int32_t *out, int32_t *len)
{
    for (int lane = 0; lane < s->lanes; lane++) s->score[lane] = lane % s->beams ? -1e9f : 0;
    for (;;) {
        IVL_TRY(advance(s, logits));
        if (s->n == s->o->max_new || all_done(s)) break;
        IVL_TRY(s->m->reorder(s->m->ctx, s->parent));
        IVL_TRY(s->m->step(s->m->ctx, s->token, logits));
    }
    finish(s, out, len);
    return IVL_OK;
}

static bool reserve(search *s)
{
    size_t lanes = (size_t)s->lanes, rows = (size_t)s->rows->n, most = (size_t)s->o->max_new;
    size_t kept = rows * (size_t)(s->beams + 1);
    s->score = calloc(lanes, sizeof *s->score);
    s->seq = calloc(lanes * most, sizeof *s->seq), s->next = calloc(lanes * most, sizeof *s->next);
    s->token = calloc(lanes, sizeof *s->token), s->parent = calloc(lanes, sizeof *s->parent);
    s->finished = calloc(kept, sizeof *s->finished), s->kept = calloc(kept * most, sizeof *s->kept);
    s->n_finished = calloc(rows, sizeof *s->n_finished), s->done = calloc(rows, sizeof *s->done);
    s->top = calloc((size_t)s->n_top, sizeof *s->top), s->mark = calloc((size_t)s->m->vocab, 1);
    for (size_t i = 0; s->finished && s->kept && i < kept; i++) s->finished[i].token = s->kept + i * most;
    return s->score && s->seq && s->next && s->token && s->parent && s->finished && s->kept && s->n_finished &&
           s->done && s->top && s->mark;
}

ivl_status ivl_decode_beams(const ivl_decode_options *o, const ivl_decode_model *m, const ivl_decode_rows *rows,
                            float *logits, int32_t *out, int32_t *len)
{
    IVL_CHECK(o->beams <= 1024, IVL_EINVAL, "%d beams; at most 1024", o->beams);
    search s = { .o = o, .m = m, .rows = rows, .beams = o->beams, .lanes = rows->n * o->beams };
    s.n_top = o->beams * (o->n_eos > 1 ? 1 + o->n_eos : 2);
    ivl_status r = reserve(&s) ? go(&s, logits, out, len)
                               : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for %d beams of %d tokens",
                                          s.lanes, o->max_new);
    free(s.score), free(s.seq), free(s.next), free(s.token), free(s.parent), free(s.finished), free(s.kept);
    free(s.n_finished), free(s.done), free(s.top), free(s.mark);
    return r;
}
