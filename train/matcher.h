/* Do a picture and a text match: the head of stage 2 that reads QLLaMA's queries (2312.14238 section 3.3). */
#ifndef IVL_TRAIN_MATCHER_H
#define IVL_TRAIN_MATCHER_H

#include <ivl/ivl.h>

typedef struct ivl_matcher ivl_matcher;

typedef struct ivl_matcher_options {
    ivl_dtype compute;    /* storage of weights and activations */
    int       batch;      /* pictures at a time; 0: 8 */
    int       texts;      /* for each picture; 0: 1 */
    int       image_size; /* another input size than the model's: positions are resized; 0: the model's */
} ivl_matcher_options;

/* Has the model in the folder the head? IVL_EINVAL says that it has not gone through stage 2. */
ivl_status ivl_matcher_check(const char *model_dir);
ivl_status ivl_matcher_open(const char *model_dir, ivl_device *dev, const ivl_matcher_options *o, ivl_matcher **m_p);
void       ivl_matcher_close(ivl_matcher *m);
int        ivl_matcher_batch(const ivl_matcher *m);

/* text[n * texts], those of a picture together -> score[n * texts]: the probability that they match. n <= batch. */
ivl_status ivl_matcher_run(ivl_matcher *m, const ivl_picture *picture, const char *const *text, int n, float *score);

#endif
