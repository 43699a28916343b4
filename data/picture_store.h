/* Pictures by name, in a folder or in tar files; many threads may read at once. */
#ifndef IVL_DATA_PICTURE_STORE_H
#define IVL_DATA_PICTURE_STORE_H

#include <ivl/backend.h>

typedef struct ivl_picture_store ivl_picture_store;

/* A folder: the tar files in it, and the pictures beside them. Or a .tar, a compressed one (unpacked to a temporary
 * file once), or several: {000..012}, *, "::". A damaged tar is an error. */
ivl_status ivl_picture_store_open(const char *path, ivl_picture_store **s_p);
void       ivl_picture_store_close(ivl_picture_store *s);

/* Is there such a file? Names are relative to the folder or as the tar has them; an absolute one may lie anywhere,
 * if the store is a folder. The message of a failure says what was looked for where. */
ivl_status ivl_picture_store_find(const ivl_picture_store *s, const char *name);
/* Its bytes, freed by the caller; nothing is decoded. */
ivl_status ivl_picture_store_read(const ivl_picture_store *s, const char *name, uint8_t **bytes_p, size_t *n_p);

#endif
