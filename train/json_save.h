/* JSON files, written aside and renamed. */
#ifndef IVL_TRAIN_JSON_SAVE_H
#define IVL_TRAIN_JSON_SAVE_H

#include <ivl/backend.h>
#include <jansson.h>

/* Takes j (NULL: out of memory). */
ivl_status ivl_json_save(json_t *j, const char *path);

#endif
