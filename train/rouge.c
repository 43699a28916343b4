#include "train/rouge.h"

#include <stdlib.h>
#include <string.h>

/* Words between single spaces; a text without any counts as one empty word. */
typedef struct words { const char **at; int *n, count; } words;

static bool split(const char *text, words *w)
{
    size_t most = strlen(text) + 1;
    *w = (words){ malloc(most * sizeof *w->at), malloc(most * sizeof *w->n), 0 };
    if (!w->at || !w->n) return false;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, " ");
        w->at[w->count] = p, w->n[w->count++] = (int)n;
        p += n;
        if (!*p) return true;
    }
}

static void words_free(words *w) { free(w->at), free(w->n); }

/* row[b->count + 1]: zeros, and scratch. */
static int common(const words *a, const words *b, int *row)
{
    for (int i = 0; i < a->count; i++)
        for (int j = 0, corner = 0; j < b->count; j++) { /* corner: of the row above, one to the left */
            int above = row[j + 1];
            bool same = a->n[i] == b->n[j] && !memcmp(a->at[i], b->at[j], (size_t)a->n[i]);
            row[j + 1] = same ? corner + 1 : above > row[j] ? above : row[j];
            corner = above;
        }
    return row[b->count];
}

ivl_status ivl_rouge_l(const ivl_caption_case *c, double *score_p)
{
    static const double beta2 = 1.2 * 1.2;
    double precision = 0, recall = 0;
    words mine, ref;
    bool ok = split(c->caption, &mine);
    for (int r = 0; r < c->n_references && ok; r++) {
        ok = split(c->reference[r], &ref);
        int *row = calloc((size_t)ref.count + 1, sizeof *row);
        ok = ok && row;
        double n = ok ? common(&mine, &ref, row) : 0;
        if (ok && n / mine.count > precision) precision = n / mine.count;
        if (ok && n / ref.count > recall) recall = n / ref.count;
        free(row);
        words_free(&ref);
    }
    words_free(&mine);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory for a caption");
    *score_p = precision > 0 && recall > 0 ? (1 + beta2) * precision * recall / (recall + beta2 * precision) : 0;
    return IVL_OK;
}
