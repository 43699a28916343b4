/* ROUGE-L of one caption as pycocoevalcap computes it: the F score (beta 1.2) of the best precision and the best recall
 * that longest common subsequences with its references give. */
#ifndef IVL_TRAIN_ROUGE_H
#define IVL_TRAIN_ROUGE_H

#include "train/caption_score.h"

ivl_status ivl_rouge_l(const ivl_caption_case *c, double *score_p);

#endif
