/* The index of one shard: members that follow each other and share a key (their path up to the first dot of
 * the file name) are one record, as WebDataset has it. */
#include "data/dataset.h"
#include "data/paths.h"
#include "data/tar.h"
#include "data/tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEEP_OPEN = 256 }; /* shards whose descriptors stay open */
static const int64_t unpack_limit = (int64_t)4 << 30;

typedef struct build {
    ivl_dataset *ds;
    const char *path;
    ivl_item *item; /* the record that grows */
    char other[16]; /* extension of a member that is no part, for the message */
} build;

/* ".001.jpg": a further frame of a video. */
static bool is_frame(const char *ext)
{
    size_t n = strspn(ext + 1, "0123456789");
    return n > 0 && ext[1 + n] == '.' && ivl_is_picture_name(ext + 1 + n);
}

static bool known_extension(const char *ext, int *part)
{
    if (!strcmp(ext, ".mask.png")) *part = IVL_PART_MASK;
    else if (ivl_is_picture_name(ext)) *part = IVL_PART_IMAGE;
    else if (ivl_ends_with(ext, ".txt")) *part = IVL_PART_TEXT;
    else if (ivl_ends_with(ext, ".json")) *part = IVL_PART_JSON;
    else return false;
    return true;
}

/* A record without a picture is dropped again. */
static void finish(build *b)
{
    if (!b->item) return;
    if (!(b->item->has >> IVL_PART_IMAGE & 1)) {
        if (b->other[0])
            ivl_dataset_note(b->ds, "%s: %s: no picture in a form that is read (jpg, png, webp); it has %s",
                             b->path, b->item->key, b->other);
        else ivl_dataset_note(b->ds, "%s: %s: the record has no picture", b->path, b->item->key);
        b->ds->n_items--;
    }
    b->item = NULL;
    b->other[0] = 0;
}

static void add_part(build *b, const ivl_tar_member *m, const char *ext)
{
    static const int64_t most[] = { IVL_MAX_IMAGE, IVL_MAX_TEXT, IVL_MAX_JSON, IVL_MAX_IMAGE };
    int part = 0;
    if (!known_extension(ext, &part)) {
        strncpy(b->other, ext, sizeof b->other - 1);
    } else if (b->item->has >> part & 1) {
        if (part == IVL_PART_IMAGE && is_frame(ext)) return;
        ivl_dataset_note(b->ds, "%s: %s: a second %s; the first is used", b->path, b->item->key, ext);
    } else if (m->bytes > most[part]) {
        ivl_dataset_note(b->ds, "%s: %s: %lld bytes of %s; more than %lld are refused", b->path, b->item->key,
                         (long long)m->bytes, ext, (long long)most[part]);
    } else {
        b->item->has |= 1u << part;
        b->item->off[part] = m->off, b->item->bytes[part] = (uint32_t)m->bytes;
    }
}

static ivl_status visit(void *user, const ivl_tar_member *m, const char *trouble)
{
    build *b = user;
    char *path = NULL;
    IVL_TRY(ivl_utf8_clean(m->path, strlen(m->path), &path, NULL)); /* so that every message is valid text */
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strchr(name, '.');
    ivl_status s = IVL_OK;
    if (trouble) {
        ivl_dataset_note(b->ds, "%s: %s%s%s", b->path, path, *path ? ": " : "", trouble);
    } else if (dot && dot > name) { /* hidden files (those of other systems, say) are no records */
        size_t n = (size_t)(dot - path);
        if (!b->item || strncmp(b->item->key, path, n) || b->item->key[n]) {
            finish(b);
            s = ivl_dataset_add_item(b->ds, path, n, &b->item);
        }
        if (s == IVL_OK) add_part(b, m, dot);
    }
    free(path);
    return s;
}

ivl_status ivl_index_shard_fd(ivl_dataset *ds, const char *path, int fd)
{
    ivl_source *src = NULL;
    ivl_status s = ivl_dataset_add_source(ds, path, &src);
    if (s != IVL_OK) {
        close(fd);
        return s;
    }
    src->fd = fd, src->shard = true;
    build b = { .ds = ds, .path = src->path };
    s = ivl_tar_walk(fd, path, visit, &b);
    if (s == IVL_OK) finish(&b);
    return s;
}

ivl_status ivl_index_shard(ivl_dataset *ds, const char *path)
{
    bool plain = ivl_ends_with(path, ".tar");
    int fd = -1;
    if (plain) fd = open(path, O_RDONLY | O_CLOEXEC);
    else IVL_TRY(ivl_tar_unpack(path, unpack_limit, &fd));
    IVL_CHECK(fd >= 0, IVL_EIO, "%s: cannot read: %s", path, strerror(errno));
    IVL_TRY(ivl_index_shard_fd(ds, path, fd));
    if (plain && ds->n_sources > KEEP_OPEN) {
        ds->source[ds->n_sources - 1].fd = -1;
        close(fd);
    }
    return IVL_OK;
}
