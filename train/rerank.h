/* The best pictures of a search, put in order by the matching head. */
#ifndef IVL_TRAIN_RERANK_H
#define IVL_TRAIN_RERANK_H

#include "data/record.h"
#include "train/matcher.h"

/* score[n]: the probability that each of these records of ds matches the text. m takes one text a picture. */
ivl_status ivl_rerank(ivl_matcher *m, const ivl_dataset *ds, const int32_t *record, int n, const char *text,
                      float *score);

#endif
