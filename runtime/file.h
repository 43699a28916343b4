/* Files: written aside, synced and renamed, so a crash or a full disk never leaves a half-written one;
 * read whole, or mapped. Errors name the file. */
#ifndef IVL_RUNTIME_FILE_H
#define IVL_RUNTIME_FILE_H

#include <stdio.h>

#include <ivl/backend.h>

/* Opens PATH.tmp.PID for writing. Finish with commit (syncs, renames over PATH, syncs the folder) or
 * abandon (removes it; accepts a zeroed struct). commit reports any earlier write error too. A PATH that is a device or
 * a pipe is IVL_EIO: renaming would replace it. */
typedef struct ivl_out_file { FILE *f; char *path, *temp; } ivl_out_file;
ivl_status ivl_out_open(const char *path, ivl_out_file *out_p);
ivl_status ivl_out_commit(ivl_out_file *out);
/* After a failed write: IVL_EIO, with the file's name and the system's reason. */
ivl_status ivl_out_failed(const ivl_out_file *out);
ivl_status ivl_out_sync(ivl_out_file *out); /* before commit, where files belong together: all or none */
void       ivl_out_abandon(ivl_out_file *out);

/* Whole file into memory with a 0 byte appended; *data_p is freed by the caller. limit: refuse larger
 * files (0: none). */
ivl_status ivl_read_file(const char *path, size_t limit, char **data_p, size_t *bytes_p);

/* Atomically writes TO, a copy of FROM. */
ivl_status ivl_copy_file(const char *from, const char *to);
/* The same with the file NAME of folder FROM to folder TO; nothing where FROM has none. */
ivl_status ivl_copy_if_there(const char *name, const char *from, const char *to);

/* Read-only mapping. */
typedef struct ivl_map { void *data; size_t bytes; } ivl_map;
ivl_status ivl_map_open(const char *path, ivl_map *map_p);
void       ivl_map_close(ivl_map *map);

ivl_status ivl_make_dirs(const char *path);   /* like mkdir -p */
/* Where things are kept that can be made again: $IVL_CACHE_DIR, $XDG_CACHE_HOME/ivl or ~/.cache/ivl, and "/name" after
 * it; malloc'd. NULL: nowhere. Makes no folder. */
char *ivl_cache_path(const char *name);
/* malloc'd "dir/name". NULL when out of memory. */
char *ivl_path_join(const char *dir, const char *name);

#endif
