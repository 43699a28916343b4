#include "data/emoji/shard.h"

#include <stdlib.h>

#include <archive.h>
#include <archive_entry.h>

static la_ssize_t write_out(struct archive *a, void *user, const void *data, size_t n)
{
    (void)a;
    ivl_shard *s = user;
    if (fwrite(data, 1, n, s->out.f) != n) return -1;
    s->bytes += (int64_t)n;
    return (la_ssize_t)n;
}

static ivl_status failed(const ivl_shard *s)
{
    const char *why = archive_error_string(s->tar);
    if (ferror(s->out.f)) return ivl_out_failed(&s->out);
    return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot write: %s", s->path,
                    why ? why : "the archive is not made");
}

/* *shard_p must stay where it is until abandon. */
ivl_status ivl_shard_open(const char *dir, const char *name, ivl_shard *s)
{
    *s = (ivl_shard){ .path = ivl_path_join(dir, name), .tar = archive_write_new() };
    ivl_status st = s->path && s->tar ? ivl_out_open(s->path, &s->out)
                                      : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (st == IVL_OK &&
        (archive_write_set_format_ustar(s->tar) || archive_write_open(s->tar, s, NULL, write_out, NULL)))
        st = failed(s);
    if (st != IVL_OK) ivl_shard_abandon(s);
    return st;
}

ivl_status ivl_shard_add(ivl_shard *s, const char *key, const char *extension, const void *data, size_t n)
{
    char name[160];
    struct archive_entry *e = archive_entry_new();
    IVL_CHECK(e, IVL_ENOMEM, "out of memory");
    snprintf(name, sizeof name, "%s.%s", key, extension);
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (la_int64_t)n);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_mtime(e, 0, 0);
    bool ok =
        archive_write_header(s->tar, e) == ARCHIVE_OK && archive_write_data(s->tar, data, n) == (la_ssize_t)n;
    archive_entry_free(e);
    return ok ? IVL_OK : failed(s);
}

ivl_status ivl_shard_commit(ivl_shard *s)
{
    if (archive_write_close(s->tar) != ARCHIVE_OK) return failed(s);
    return ivl_out_commit(&s->out);
}

void ivl_shard_abandon(ivl_shard *s)
{
    if (s->tar) archive_write_free(s->tar);
    ivl_out_abandon(&s->out);
    free(s->path);
    *s = (ivl_shard){ .bytes = s->bytes };
}
