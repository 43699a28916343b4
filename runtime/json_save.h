/* JSON files, written aside and renamed. */
#ifndef IVL_RUNTIME_JSON_SAVE_H
#define IVL_RUNTIME_JSON_SAVE_H

#include <ivl/backend.h>
#include <jansson.h>

/* The text of root (jansson's flags), freed by the caller; NULL when out of memory. Not json_dumps, which may
 * leave out keys when memory ends half-way. */
char *ivl_json_dump(const json_t *root, size_t flags);

/* Each takes root (NULL: IVL_ENOMEM). The first writes for people: indented, reals of six digits. */
ivl_status ivl_json_save(json_t *root, const char *path);
ivl_status ivl_json_save_as(json_t *root, const char *path, size_t flags);
ivl_status ivl_json_save_in(json_t *root, const char *dir, const char *name, size_t flags);

#endif
