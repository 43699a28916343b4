/* Scores of captions against references, as pycocoevalcap computes them. */
#ifndef IVL_TRAIN_CAPTION_SCORE_H
#define IVL_TRAIN_CAPTION_SCORE_H

#include <ivl/backend.h>

/* Texts are tokens with white space between them: ivl_ptb_tokenize makes them. */
typedef struct ivl_caption_case {
    const char *caption;
    const char *const *reference;
    int n_references;
} ivl_caption_case;

typedef struct ivl_caption_scores {
    double cider;       /* what pycocoevalcap calls CIDEr: CIDEr-D, clipped and with length penalty, sigma 6; 0..10 */
    double cider_plain; /* the first CIDEr: cosines without either (1411.5726 section 4) */
    double bleu[4];     /* BLEU-1..4 of the corpus, closest reference length */
    double rouge_l;     /* mean over the cases, see train/rouge.h */
} ivl_caption_scores;

/* The cases together are the corpus whose n-grams are counted for the weights. each: NULL, or [n] for every case's
 * cider. Every case has a reference. */
ivl_status ivl_caption_score(const ivl_caption_case *c, int n, ivl_caption_scores *scores_p, double *each);

#endif
