/* Zip archives whose members are stored, not compressed, as PyTorch writes them: where their bytes lie. Sizes of 64
 * bits are read. Every place is checked; nothing is extracted. */
#ifndef IVL_RUNTIME_ZIP_H
#define IVL_RUNTIME_ZIP_H

#include <ivl/backend.h>

typedef struct ivl_zip_member { char *name; const void *data; size_t bytes; } ivl_zip_member;

bool       ivl_zip_is(const void *data, size_t n);
/* The members of data[n], which must outlive the list; name is for messages. */
ivl_status ivl_zip_list(const void *data, size_t n, const char *name, ivl_zip_member **list_p, int *n_p);
void       ivl_zip_free(ivl_zip_member *list, int n);

#endif
