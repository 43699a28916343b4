/* A tar file whose bytes depend on its entries alone: no times, owners or modes of this machine. */
#ifndef IVL_DATA_EMOJI_SHARD_H
#define IVL_DATA_EMOJI_SHARD_H

#include "runtime/file.h"

struct archive;
typedef struct ivl_shard { struct archive *tar; ivl_out_file out; char *path; int64_t bytes; } ivl_shard;

ivl_status ivl_shard_open(const char *dir, const char *name, ivl_shard *shard_p);
ivl_status ivl_shard_add(ivl_shard *shard, const char *key, const char *extension, const void *data,
                         size_t n);
ivl_status ivl_shard_commit(ivl_shard *shard);  /* the file appears; shard->bytes is its size */
void       ivl_shard_abandon(ivl_shard *shard); /* after commit too; accepts a zeroed one */

#endif
