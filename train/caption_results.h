/* Files of captions in COCO's form: [{"image_id": 42, "caption": "..."}, ...]. */
#ifndef IVL_TRAIN_CAPTION_RESULTS_H
#define IVL_TRAIN_CAPTION_RESULTS_H

#include "data/record.h"

/* text[i]: the caption of record[i], malloc'd, NULL where the file has none. An image_id is a record's key, or the
 * number that its key ends with; one of no record, or twice, is an error. Captions of records besides the n are passed
 * over. The caller frees text[] also after a failure. */
ivl_status ivl_caption_results_read(const char *path, const ivl_dataset *ds, const int32_t *record, int n, char **text);
/* An image_id is the number that the key is, where all keys are numbers; else the key. */
ivl_status ivl_caption_results_write(const char *path, const ivl_dataset *ds, const int32_t *record, int n,
                                     char *const *text);

#endif
