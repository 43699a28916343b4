/* POPE (2305.10355): yes/no questions about objects in pictures. Probes hallucination: "yes" counts as positive. */
#ifndef IVL_TRAIN_POPE_H
#define IVL_TRAIN_POPE_H

#include <ivl/backend.h>

/* What a reply says, by the public evaluation's rule: "No", "no" or "not" among the words (between single spaces) of
 * its first sentence, commas left out, says no; anything else yes. */
bool ivl_pope_says_yes(const char *reply);

typedef struct ivl_pope { int64_t true_yes, false_yes, true_no, false_no; } ivl_pope;
void ivl_pope_add(ivl_pope *p, bool says_yes, bool is_yes);

/* A ratio without a denominator is 0. */
typedef struct ivl_pope_scores { double accuracy, precision, recall, f1, yes_ratio; } ivl_pope_scores;
ivl_pope_scores ivl_pope_score(const ivl_pope *p);

#endif
