/* Retrieval and zero-shot scores from unit vectors (the protocols of CLIP_benchmark). */
#ifndef IVL_TRAIN_RECALL_H
#define IVL_TRAIN_RECALL_H

#include <ivl/backend.h>

enum { IVL_RECALL_KS = 3 }; /* recall at 1, 5, 10 */
extern const int ivl_recall_k[IVL_RECALL_KS];

/* Share of queries with a positive among the first k; what guessing gives on this gallery; Wilson's 95 % interval. */
typedef struct ivl_recall {
    int64_t queries, gallery;
    double  at[IVL_RECALL_KS], chance[IVL_RECALL_KS], low[IVL_RECALL_KS], high[IVL_RECALL_KS];
} ivl_recall;

/* Wilson's 95 % interval of a share p of n. */
void ivl_share_interval(double p, int64_t n, double *low_p, double *high_p);

typedef struct ivl_pairs {
    const float   *image, *text;   /* [n_image, dim], [n_text, dim] */
    int            n_image, n_text, dim;
    const int32_t *image_of;       /* text j describes image_of[j] */
    const int32_t *same_text;      /* texts of equal wording share a number: they describe each other's pictures */
} ivl_pairs;

/* Text j is right for picture i if a text worded like j describes i. A negative that scores as high as the best
 * positive counts before it. */
ivl_status ivl_recall_text_to_image(const ivl_pairs *p, ivl_recall *r_p);
ivl_status ivl_recall_image_to_text(const ivl_pairs *p, ivl_recall *r_p);

/* Class scores: class vectors [n_class, dim] (unit norm), labels per picture -> top-1 and top-5 accuracy and the mean
 * over classes of top-1. */
typedef struct ivl_accuracy { double top1, top5, mean_per_class; int64_t n; } ivl_accuracy;
ivl_status ivl_zeroshot(const float *image, int n_image, const float *class_vector, int n_class, int dim,
                        const int32_t *label, ivl_accuracy *a_p);

/* Numbers texts so that equal ones share a number: same[j]. */
ivl_status ivl_same_texts(const char *const *text, int n, int32_t *same);

#endif
