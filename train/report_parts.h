/* Parts of a report's page. */
#ifndef IVL_TRAIN_REPORT_PARTS_H
#define IVL_TRAIN_REPORT_PARTS_H

#include <stdio.h>

#include <jansson.h>

/* Entries of "results" as the files of eval/ have them, each with the "file" it is from: tables of retrieval,
 * InternVL-C beside InternVL-G, matching, captions, POPE and exact answers beside blind ones and chance. */
void ivl_report_results(FILE *f, const json_t *results);

/* Pictures with what was found, written and answered: search.json, captions.json, conversation.json (NULL: none). */
void ivl_report_searches(FILE *f, const json_t *search);
void ivl_report_captions(FILE *f, const json_t *captions);
void ivl_report_conversations(FILE *f, const json_t *conversations);

/* A text, a number or yes or no, as HTML. */
void ivl_report_value(FILE *f, const json_t *v);

#endif
