/* The members of an uncompressed tar file (v7, ustar, GNU long names, pax path and size) and where their
 * bytes lie. Our own reader rather than libarchive's, because random access needs offsets, and because
 * nothing is ever extracted: a hostile archive can only be reported. */
#ifndef IVL_DATA_TAR_H
#define IVL_DATA_TAR_H

#include <ivl/backend.h>

typedef struct ivl_tar_member { const char *path; int64_t off, bytes; } ivl_tar_member;

/* Hears of each regular file in order. With `trouble` set the member (path may be "") is not to be used: a
 * link, a path that leaves its folder, a truncated or damaged header. Returns an error to stop. */
typedef ivl_status (*ivl_tar_visit)(void *user, const ivl_tar_member *m, const char *trouble);

/* Damage after the first member ends the walk with a trouble, not with an error; a file that does not begin
 * like a tar is an error that names it. */
ivl_status ivl_tar_walk(int fd, const char *name, ivl_tar_visit visit, void *user);

/* Decompresses NAME.tar.gz and the like to an unlinked temporary file; *fd_p is closed by the caller. */
ivl_status ivl_tar_unpack(const char *path, int64_t limit, int *fd_p);

#endif
