#include "data/conversations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json_spans.h"
#include "data/paths.h"
#include "data/picture_store.h"
#include "runtime/file.h"

typedef struct file { ivl_map map; ivl_spans spans; int64_t first; } file; /* first: its first record's number */

struct ivl_conversations {
    ivl_paths paths;
    file     *file; /* of each path */
    int64_t   n;
    ivl_picture_store *store;
};

static ivl_status open_file(ivl_conversations *c, int64_t i)
{
    const char *path = c->paths.v[i];
    file *f = &c->file[i];
    IVL_TRY(ivl_map_open(path, &f->map));
    IVL_TRY(ivl_spans_find(f->map.data ? f->map.data : "", f->map.bytes, path, &f->spans));
    IVL_CHECK(f->spans.n, IVL_EFORMAT, "%s: no conversation in it", path);
    f->first = c->n;
    c->n += f->spans.n;
    return IVL_OK;
}

/* Beside the first file. */
static ivl_status open_store(ivl_conversations *c, const char *images)
{
    const char *path = c->paths.v[0], *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_picture_store_open(images ? images : dir, &c->store);
    free(dir);
    return s;
}

static ivl_status missing(const ivl_conversation *one)
{
    char why[1024];
    snprintf(why, sizeof why, "%s", ivl_last_error());
    return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: \"image\": %s", one->where, why);
}

static ivl_status look(const ivl_conversations *c, int64_t i)
{
    ivl_conversation one = { 0 };
    ivl_status s = ivl_conversations_read_text(c, i, &one);
    for (int k = 0; s == IVL_OK && k < one.n_images; k++)
        if (ivl_picture_store_find(c->store, one.image[k].name) != IVL_OK) s = missing(&one);
    ivl_conversation_free(&one);
    return s;
}

ivl_status ivl_conversations_open(const char *files, const char *images, ivl_conversations **c_p)
{
    ivl_conversations *c = calloc(1, sizeof *c);
    IVL_CHECK(c, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_paths_expand(files, &c->paths);
    if (s == IVL_OK && !(c->file = calloc((size_t)c->paths.n + 1, sizeof *c->file)))
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int64_t i = 0; s == IVL_OK && i < c->paths.n; i++) s = open_file(c, i);
    if (s == IVL_OK) s = open_store(c, images);
    for (int64_t i = 0; s == IVL_OK && i < c->n; i++) s = look(c, i);
    if (s != IVL_OK) {
        ivl_conversations_close(c);
        return s;
    }
    *c_p = c;
    return IVL_OK;
}

void ivl_conversations_close(ivl_conversations *c)
{
    if (!c) return;
    for (int64_t i = 0; c->file && i < c->paths.n; i++) {
        ivl_map_close(&c->file[i].map);
        ivl_spans_free(&c->file[i].spans);
    }
    ivl_picture_store_close(c->store);
    ivl_paths_free(&c->paths);
    free(c->file), free(c);
}

int64_t ivl_conversations_count(const ivl_conversations *c) { return c->n; }

static int64_t file_of(const ivl_conversations *c, int64_t i)
{
    int64_t f = 0;
    while (f + 1 < c->paths.n && c->file[f + 1].first <= i) f++;
    return f;
}

ivl_status ivl_conversations_read_text(const ivl_conversations *c, int64_t i, ivl_conversation *out_p)
{
    char where[512];
    IVL_CHECK(i >= 0 && i < c->n, IVL_EINVAL, "conversation %lld of %lld", (long long)i, (long long)c->n);
    const file *f = &c->file[file_of(c, i)];
    ivl_span span = f->spans.v[i - f->first];
    snprintf(where, sizeof where, "%s:%lld: record %lld", c->paths.v[f - c->file], (long long)span.line,
             (long long)(i - f->first) + 1);
    return ivl_conversation_parse((const char *)f->map.data + span.off, (size_t)span.bytes, where, out_p);
}

ivl_status ivl_conversations_read(const ivl_conversations *c, int64_t i, ivl_conversation *out_p)
{
    ivl_conversation one = { 0 };
    IVL_TRY(ivl_conversations_read_text(c, i, &one));
    for (int k = 0; k < one.n_images; k++) {
        ivl_conversation_image *im = &one.image[k];
        if (ivl_picture_store_read(c->store, im->name, &im->bytes, &im->n) == IVL_OK) continue;
        ivl_status s = missing(&one);
        ivl_conversation_free(&one);
        return s;
    }
    *out_p = one;
    return IVL_OK;
}
