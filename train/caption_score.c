/* CIDEr: cosine of the n-gram vectors of caption and reference, n-grams weighted by tf * idf, idf = log(cases / cases
 * whose references have it); mean over n = 1..4 and over references, times 10. CIDEr-D takes min(caption, reference)
 * in the product and multiplies by exp(-d^2 / 2 sigma^2), d the difference of lengths (counted in pairs of words, as
 * pycocoevalcap does). */
#include "train/caption_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/rouge.h"

enum { ORDERS = 4 };

/* word: numbers from 1, then zeros; order 0..3; df: cases whose references have it; seen_in: the last of them. */
typedef struct gram { int32_t word[ORDERS]; int order; int64_t seen_in; double df; } gram;

/* Words and n-grams by number. */
typedef struct corpus {
    gram    *gram;
    int32_t *gram_slot; /* hash tables of numbers + 1 */
    char   **word;
    int32_t *word_slot;
    size_t n_grams, gram_room, n_words, word_room; /* rooms: powers of two */
} corpus;

typedef struct term { int32_t gram; int count; double weight; } term;
typedef struct text { term *term; int n, words; double norm[ORDERS]; } text; /* terms by gram number */

/* --- numbers of words and n-grams ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* Both hash tables: doubles a list and its slots when half full. The caller enters the old ones again. */
static ivl_status grow(void **list, size_t size, int32_t **slot, size_t *room, size_t n, bool *grown_p)
{
    *grown_p = false;
    if (2 * n + 2 < *room) return IVL_OK;
    size_t more = *room ? 2 * *room : 1024;
    IVL_CHECK(more <= (size_t)1 << 30, IVL_EINVAL, "more than 2^29 different n-grams");
    void *bigger = realloc(*list, more / 2 * size);
    if (bigger) *list = bigger;
    int32_t *slots = bigger ? calloc(more, sizeof *slots) : NULL;
    IVL_CHECK(slots, IVL_ENOMEM, "out of memory for %zu n-grams", more);
    free(*slot);
    *slot = slots, *room = more, *grown_p = true;
    return IVL_OK;
}

static uint64_t hash_word(const char *w, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) h = mix(h, (unsigned char)w[i]);
    return h;
}

static int32_t *word_at(const corpus *c, const char *w, size_t n)
{
    size_t i = hash_word(w, n) & (c->word_room - 1);
    for (; c->word_slot[i]; i = (i + 1) & (c->word_room - 1)) {
        const char *old = c->word[c->word_slot[i] - 1];
        if (!strncmp(old, w, n) && !old[n]) break;
    }
    return &c->word_slot[i];
}

static ivl_status word_number(corpus *c, const char *w, size_t n, int32_t *number_p)
{
    bool grown;
    void *list = c->word;
    ivl_status s = grow(&list, sizeof *c->word, &c->word_slot, &c->word_room, c->n_words, &grown);
    c->word = list;
    IVL_TRY(s);
    for (size_t i = 0; grown && i < c->n_words; i++) *word_at(c, c->word[i], strlen(c->word[i])) = (int32_t)i + 1;
    int32_t *slot = word_at(c, w, n);
    if (!*slot) {
        char *copy = strndup(w, n);
        IVL_CHECK(copy, IVL_ENOMEM, "out of memory for a word");
        c->word[c->n_words++] = copy;
        *slot = (int32_t)c->n_words;
    }
    *number_p = *slot;
    return IVL_OK;
}

static int32_t *gram_at(const corpus *c, const int32_t word[ORDERS])
{
    uint64_t h = 0;
    for (int k = 0; k < ORDERS; k++) h = mix(h, (uint64_t)word[k]);
    size_t i = h & (c->gram_room - 1);
    while (c->gram_slot[i] && memcmp(c->gram[c->gram_slot[i] - 1].word, word, ORDERS * sizeof *word))
        i = (i + 1) & (c->gram_room - 1);
    return &c->gram_slot[i];
}

static ivl_status gram_number(corpus *c, const int32_t word[ORDERS], int order, int32_t *number_p)
{
    bool grown;
    void *list = c->gram;
    ivl_status s = grow(&list, sizeof *c->gram, &c->gram_slot, &c->gram_room, c->n_grams, &grown);
    c->gram = list;
    IVL_TRY(s);
    for (size_t i = 0; grown && i < c->n_grams; i++) *gram_at(c, c->gram[i].word) = (int32_t)i + 1;
    int32_t *slot = gram_at(c, word);
    if (!*slot) {
        gram *g = &c->gram[c->n_grams++];
        *g = (gram){ .order = order, .seen_in = -1 };
        memcpy(g->word, word, sizeof g->word);
        *slot = (int32_t)c->n_grams;
    }
    *number_p = *slot - 1;
    return IVL_OK;
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

static int by_gram(const void *a, const void *b)
{
    const term *x = a, *y = b;
    return (x->gram > y->gram) - (x->gram < y->gram);
}

static ivl_status words_of(corpus *c, const char *s, int32_t **word_p, int *n_p)
{
    size_t most = strlen(s) / 2 + 1;
    int32_t *word = malloc(most * sizeof *word);
    int n = 0;
    IVL_CHECK(word, IVL_ENOMEM, "out of memory for a caption");
    for (s += strspn(s, " \t\r\n"); *s; s += strspn(s, " \t\r\n")) {
        size_t len = strcspn(s, " \t\r\n");
        ivl_status r = word_number(c, s, len, &word[n++]);
        if (r != IVL_OK) {
            free(word);
            return r;
        }
        s += len;
    }
    *word_p = word, *n_p = n;
    return IVL_OK;
}

static ivl_status terms_of(corpus *c, const int32_t *word, int n, text *t)
{
    t->term = calloc((size_t)n * ORDERS + 1, sizeof *t->term), t->words = n;
    IVL_CHECK(t->term, IVL_ENOMEM, "out of memory for a caption");
    for (int order = 0; order < ORDERS; order++) {
        for (int i = 0; i + order < n; i++) {
            int32_t key[ORDERS] = { 0 };
            memcpy(key, word + i, (size_t)(order + 1) * sizeof *key);
            IVL_TRY(gram_number(c, key, order, &t->term[t->n].gram));
            t->term[t->n++].count = 1;
        }
    }
    qsort(t->term, (size_t)t->n, sizeof *t->term, by_gram);
    int kept = 0;
    for (int i = 0; i < t->n; i++) {
        if (kept && t->term[kept - 1].gram == t->term[i].gram) t->term[kept - 1].count++;
        else t->term[kept++] = t->term[i];
    }
    t->n = kept;
    return IVL_OK;
}

static ivl_status text_of(corpus *c, const char *s, text *t)
{
    int32_t *word = NULL;
    int n = 0;
    IVL_TRY(words_of(c, s, &word, &n));
    ivl_status r = terms_of(c, word, n, t);
    free(word);
    return r;
}

/* --- CIDEr -------------------------------------------------------------------------------------------------------- */

static void weigh(const corpus *c, text *t, double log_cases)
{
    double square[ORDERS] = { 0 };
    for (int i = 0; i < t->n; i++) {
        const gram *g = &c->gram[t->term[i].gram];
        double w = t->term[i].count * (log_cases - log(fmax(1, g->df)));
        t->term[i].weight = w;
        square[g->order] += w * w;
    }
    for (int k = 0; k < ORDERS; k++) t->norm[k] = sqrt(square[k]);
}

/* Adds the means over n of CIDEr-D's and of CIDEr's cosines. */
static void compare(const corpus *c, const text *a, const text *b, double *clipped, double *plain)
{
    double d[ORDERS] = { 0 }, p[ORDERS] = { 0 };
    for (int i = 0, j = 0; i < a->n && j < b->n;) {
        const term *x = &a->term[i], *y = &b->term[j];
        if (x->gram == y->gram) {
            int order = c->gram[x->gram].order;
            d[order] += fmin(x->weight, y->weight) * y->weight;
            p[order] += x->weight * y->weight;
        }
        i += x->gram <= y->gram, j += y->gram <= x->gram;
    }
    int pairs_a = a->words > 1 ? a->words - 1 : 0, pairs_b = b->words > 1 ? b->words - 1 : 0;
    double delta = pairs_a - pairs_b, penalty = exp(-delta * delta / (2 * 6.0 * 6.0));
    for (int k = 0; k < ORDERS; k++) {
        double norm = a->norm[k] * b->norm[k];
        if (norm == 0) continue;
        *clipped += d[k] / norm * penalty / ORDERS, *plain += p[k] / norm / ORDERS;
    }
}

/* --- BLEU --------------------------------------------------------------------------------------------------------- */

typedef struct bleu { double match[ORDERS], guess[ORDERS], length, reference; } bleu;

/* The largest count of an n-gram in any reference. */
static int most_in(const text *ref, int n_ref, int32_t number)
{
    int most = 0;
    for (int r = 0; r < n_ref; r++) {
        const term *t = bsearch(&(term){ .gram = number }, ref[r].term, (size_t)ref[r].n, sizeof *t, by_gram);
        if (t && t->count > most) most = t->count;
    }
    return most;
}

static void add_bleu(const corpus *c, const text *a, const text *ref, int n_ref, bleu *b)
{
    int closest = ref[0].words;
    for (int r = 1; r < n_ref; r++) {
        int now = abs(ref[r].words - a->words), best = abs(closest - a->words);
        if (now < best || (now == best && ref[r].words < closest)) closest = ref[r].words;
    }
    b->length += a->words, b->reference += closest;
    for (int k = 0; k < ORDERS; k++) b->guess[k] += a->words > k ? a->words - k : 0;
    for (int i = 0; i < a->n; i++) {
        int most = most_in(ref, n_ref, a->term[i].gram);
        b->match[c->gram[a->term[i].gram].order] += most < a->term[i].count ? most : a->term[i].count;
    }
}

/* The tiny terms are pycocoevalcap's. */
static void finish_bleu(const bleu *b, double out[ORDERS])
{
    double product = 1, ratio = (b->length + 1e-15) / (b->reference + 1e-9);
    for (int k = 0; k < ORDERS; k++) {
        product *= (b->match[k] + 1e-15) / (b->guess[k] + 1e-9);
        out[k] = pow(product, 1.0 / (k + 1)) * (ratio < 1 ? exp(1 - 1 / ratio) : 1);
    }
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* Texts of case i: its references from ref, its caption last. */
static ivl_status read_case(corpus *c, const ivl_caption_case *one, int64_t i, text *t)
{
    for (int r = 0; r < one->n_references; r++) {
        IVL_TRY(text_of(c, one->reference[r], &t[r]));
        for (int k = 0; k < t[r].n; k++) {
            gram *g = &c->gram[t[r].term[k].gram];
            if (g->seen_in != i) g->seen_in = i, g->df++;
        }
    }
    return text_of(c, one->caption, &t[one->n_references]);
}

static void score_all(const corpus *c, const ivl_caption_case *one, int n, text *t, ivl_caption_scores *out,
                      double *each)
{
    bleu b = { 0 };
    for (int i = 0; i < n; t += one[i].n_references + 1, i++) {
        int refs = one[i].n_references;
        double clipped = 0, plain = 0;
        for (int r = 0; r <= refs; r++) weigh(c, &t[r], log(n));
        for (int r = 0; r < refs; r++) compare(c, &t[refs], &t[r], &clipped, &plain);
        out->cider += 10 * clipped / refs / n, out->cider_plain += 10 * plain / refs / n;
        if (each) each[i] = 10 * clipped / refs;
        add_bleu(c, &t[refs], t, refs, &b);
    }
    finish_bleu(&b, out->bleu);
}

ivl_status ivl_caption_score(const ivl_caption_case *one, int n, ivl_caption_scores *scores_p, double *each)
{
    size_t texts = 0, at = 0;
    IVL_CHECK(n > 0, IVL_EINVAL, "no captions to score");
    for (int i = 0; i < n; i++) {
        IVL_CHECK(one[i].n_references > 0, IVL_EINVAL, "caption %d has no reference to be scored against", i);
        texts += (size_t)one[i].n_references + 1;
    }
    corpus c = { 0 };
    ivl_caption_scores out = { 0 };
    text *t = calloc(texts, sizeof *t);
    ivl_status s = t ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for %zu captions", texts);
    for (int i = 0; s == IVL_OK && i < n; at += (size_t)one[i].n_references + 1, i++)
        s = read_case(&c, &one[i], i, t + at);
    if (s == IVL_OK) score_all(&c, one, n, t, &out, each);
    for (int i = 0; s == IVL_OK && i < n; i++) {
        double rouge = 0;
        s = ivl_rouge_l(&one[i], &rouge);
        out.rouge_l += rouge / n;
    }
    for (size_t i = 0; t && i < texts; i++) free(t[i].term);
    for (size_t i = 0; i < c.n_words; i++) free(c.word[i]);
    free(t), free(c.gram), free(c.gram_slot), free(c.word), free(c.word_slot);
    if (s == IVL_OK) *scores_p = out;
    return s;
}
