/* Inside of evaluation: the captions of a data set, and example searches with their pictures for the report. */
#ifndef IVL_TRAIN_EVAL_SEARCH_H
#define IVL_TRAIN_EVAL_SEARCH_H

#include <jansson.h>

#include "train/eval.h"

typedef struct ivl_captions { char **text, **lang; int32_t *image_of; int n, cap; } ivl_captions;
void ivl_captions_free(ivl_captions *c);

/* lang is in the comma-separated list; an empty list holds all. */
bool ivl_language_in(const char *list, const char *lang);
/* Takes j (NULL: out of memory); writes atomically. */
ivl_status ivl_json_save(json_t *j, const char *path);

/* o->n_examples captions, spread over the languages, each with its best six pictures, to o->examples. */
ivl_status ivl_search_examples(const ivl_dataset *ds, const ivl_captions *c, const float *image,
                               const float *text, int dim, const ivl_eval_options *o);

#endif
