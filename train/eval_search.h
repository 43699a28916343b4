/* Inside of evaluation: example searches with their pictures for the report. */
#ifndef IVL_TRAIN_EVAL_SEARCH_H
#define IVL_TRAIN_EVAL_SEARCH_H

#include "train/captions.h"
#include "train/eval.h"

/* o->n_examples captions, spread over the languages, each with its best six pictures, to o->examples. */
ivl_status ivl_search_examples(const ivl_dataset *ds, const ivl_captions *c, const float *image,
                               const float *text, int dim, const ivl_eval_options *o);

#endif
