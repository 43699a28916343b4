#include "data/dataset.h"
#include "data/paths.h"
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

static ivl_status grow(void **v, int64_t n, int64_t *room, size_t one)
{
    if (n < *room) return IVL_OK;
    int64_t more = 2 * *room + 64;
    void *p = realloc(*v, (size_t)more * one);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory for an index of %lld records", (long long)more);
    *v = p, *room = more;
    return IVL_OK;
}

const char *ivl_dataset_string(ivl_dataset *ds, const char *text, size_t n)
{
    if (n + 1 > ds->block_left) {
        size_t bytes = n + 1 > BLOCK ? n + 1 : BLOCK;
        if (grow((void **)&ds->block, ds->n_blocks, &ds->room_blocks, sizeof *ds->block) != IVL_OK)
            return NULL;
        char *b = malloc(bytes);
        if (!b) return NULL;
        ds->block[ds->n_blocks++] = b, ds->block_left = bytes;
    }
    /* a block of BLOCK bytes is filled from its end, a longer one holds one string */
    char *to = ds->block[ds->n_blocks - 1] + (ds->block_left - n - 1);
    ds->block_left -= n + 1;
    memcpy(to, text, n);
    to[n] = 0;
    return to;
}

ivl_status ivl_dataset_add_source(ivl_dataset *ds, const char *path, ivl_source **s_p)
{
    IVL_CHECK(ds->n_sources < INT32_MAX, IVL_EINVAL, "%s: too many sources", path);
    IVL_TRY(grow((void **)&ds->source, ds->n_sources, &ds->room_sources, sizeof *ds->source));
    ivl_source s = { .path = strdup(path), .fd = -1 };
    IVL_CHECK(s.path, IVL_ENOMEM, "out of memory");
    ds->source[ds->n_sources] = s;
    *s_p = &ds->source[ds->n_sources++];
    return IVL_OK;
}

ivl_status ivl_dataset_add_item(ivl_dataset *ds, const char *key, size_t key_n, ivl_item **item_p)
{
    IVL_TRY(grow((void **)&ds->item, ds->n_items, &ds->room_items, sizeof *ds->item));
    ivl_item it = { .key = ivl_dataset_string(ds, key, key_n), .source = (int32_t)(ds->n_sources - 1),
                    .told_first = -1, .told_last = -1 };
    IVL_CHECK(it.key, IVL_ENOMEM, "out of memory for an index of %lld records", (long long)ds->n_items);
    ds->item[ds->n_items] = it;
    *item_p = &ds->item[ds->n_items++];
    return IVL_OK;
}

ivl_status ivl_dataset_tell(ivl_dataset *ds, ivl_item *item, const char *text, const char *lang)
{
    IVL_TRY(grow((void **)&ds->told, ds->n_told, &ds->room_told, sizeof *ds->told));
    ds->told[ds->n_told] = (ivl_told){ text, lang, -1 };
    if (item->told_last < 0) item->told_first = ds->n_told;
    else ds->told[item->told_last].next = ds->n_told;
    item->told_last = ds->n_told++;
    return IVL_OK;
}

void ivl_dataset_note(ivl_dataset *ds, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (ds->n_bad < IVL_BAD_KEPT) {
        char *text = NULL;
        if (vasprintf(&text, fmt, ap) < 0) text = NULL;
        ds->bad[ds->n_bad] = text;
    }
    ds->n_bad++;
    va_end(ap);
}

static bool is_packed_tar(const char *path)
{
    static const char *const suffix[] = { ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2", ".tar.lz4" };
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++)
        if (ivl_ends_with(path, suffix[i])) return true;
    return false;
}

static ivl_status index_folder(ivl_dataset *ds, const char *path)
{
    ivl_paths shards = { 0 };
    IVL_TRY(ivl_paths_suffix(path, ".tar", &shards));
    ivl_status s = IVL_OK;
    for (int64_t i = 0; s == IVL_OK && i < shards.n; i++) s = ivl_index_shard(ds, shards.v[i]);
    if (s == IVL_OK && !shards.n) s = ivl_index_folder(ds, path);
    ivl_paths_free(&shards);
    return s;
}

static ivl_status index_path(ivl_dataset *ds, const char *path)
{
    struct stat st;
    IVL_CHECK(!stat(path, &st), IVL_EIO, "%s: cannot read: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return index_folder(ds, path);
    IVL_CHECK(S_ISREG(st.st_mode), IVL_EIO, "%s: neither a regular file nor a folder", path);
    if (ivl_ends_with(path, ".tar") || is_packed_tar(path)) return ivl_index_shard(ds, path);
    if (ivl_ends_with(path, ".csv") || ivl_ends_with(path, ".tsv")) return ivl_index_table(ds, path);
    if (ivl_is_picture_name(path)) return ivl_index_picture(ds, path);
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__,
                    "%s: not a data set; .tar shards, a folder of pictures, .csv, .tsv, .jpg, .png and .webp are",
                    path);
}

/* Sources in order; after the last of each part of the spec its end is noted. */
static ivl_status index_parts(ivl_dataset *ds, const ivl_paths *paths)
{
    for (int64_t i = 0; i < paths->n; i++) {
        IVL_TRY(index_path(ds, paths->v[i]));
        if (!paths->ends[i]) continue;
        IVL_TRY(grow((void **)&ds->part_end, ds->n_parts, &ds->room_parts, sizeof *ds->part_end));
        ds->part_end[ds->n_parts++] = ds->n_items;
    }
    return IVL_OK;
}

ivl_status ivl_dataset_open(const char *spec, ivl_dataset **ds_p)
{
    ivl_paths paths = { 0 };
    IVL_TRY(ivl_paths_expand(spec, &paths));
    ivl_dataset *ds = calloc(1, sizeof *ds);
    ivl_status s = ds ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = index_parts(ds, &paths);
    ivl_paths_free(&paths);
    if (s == IVL_OK && !ds->n_items)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no record with a picture%s%s", spec,
                     ds->n_bad ? "; first trouble: " : "", ds->n_bad && ds->bad[0] ? ds->bad[0] : "");
    if (s == IVL_OK) *ds_p = ds;
    else ivl_dataset_close(ds);
    return s;
}

void ivl_dataset_close(ivl_dataset *ds)
{
    if (!ds) return;
    for (int64_t i = 0; i < ds->n_sources; i++) {
        ivl_source *s = &ds->source[i];
        if (s->fd >= 0) close(s->fd);
        free(s->path), free(s->dir);
        ivl_table_close(&s->table);
    }
    for (int64_t i = 0; i < ds->n_blocks; i++) free(ds->block[i]);
    for (int i = 0; i < IVL_BAD_KEPT; i++) free(ds->bad[i]);
    free(ds->source), free(ds->item), free(ds->told), free(ds->block), free(ds->part_end), free(ds);
}

int64_t ivl_dataset_count(const ivl_dataset *ds) { return ds->n_items; }
int64_t ivl_dataset_bad(const ivl_dataset *ds) { return ds->n_bad; }
const char *ivl_dataset_bad_text(const ivl_dataset *ds, int i)
{
    return i >= 0 && i < IVL_BAD_KEPT && i < ds->n_bad ? ds->bad[i] : NULL;
}

const char *ivl_dataset_key(const ivl_dataset *ds, int64_t i) { return ds->item[i].key; }

const char *ivl_dataset_where(const ivl_dataset *ds, int64_t i, char *text, size_t n)
{
    const ivl_item *it = &ds->item[i];
    const ivl_source *s = &ds->source[it->source];
    if (s->shard) snprintf(text, n, "%s: %s", s->path, it->key);
    else if (*it->file == '/' || !*s->dir) snprintf(text, n, "%s", it->file);
    else snprintf(text, n, "%s/%s", s->dir, it->file);
    return text;
}

static ivl_status read_shard(const ivl_source *s, const ivl_item *it, int part, char *to)
{
    int fd = s->fd >= 0 ? s->fd : open(s->path, O_RDONLY | O_CLOEXEC);
    IVL_CHECK(fd >= 0, IVL_EIO, "%s: %s: cannot read: %s", s->path, it->key, strerror(errno));
    size_t got = 0, n = it->bytes[part];
    ssize_t r = 1;
    while (got < n && r > 0) {
        r = pread(fd, to + got, n - got, (off_t)(it->off[part] + (int64_t)got));
        if (r < 0 && errno == EINTR) r = 1;
        else if (r > 0) got += (size_t)r;
    }
    int why = errno;
    if (fd != s->fd) close(fd);
    IVL_CHECK(got == n, IVL_EIO, "%s: %s: cannot read: %s", s->path, it->key,
              r < 0 ? strerror(why) : "the shard became shorter");
    return IVL_OK;
}

/* The picture's path with another extension, or its own. */
static ivl_status read_beside(const ivl_dataset *ds, const ivl_item *it, int part, char **data_p, size_t *n_p)
{
    static const char *const ext[] = { NULL, ".txt", ".json", ".mask.png" };
    static const size_t most[] = { IVL_MAX_IMAGE, IVL_MAX_TEXT, IVL_MAX_JSON, IVL_MAX_IMAGE };
    char path[4096];
    ivl_dataset_where(ds, it - ds->item, path, sizeof path - 12);
    char *dot = strrchr(path, '.');
    if (ext[part] && dot) memcpy(dot, ext[part], strlen(ext[part]) + 1);
    struct stat st; /* a fifo or a device must not block us */
    IVL_CHECK(!stat(path, &st), IVL_EIO, "%s: cannot read: %s", path, strerror(errno));
    IVL_CHECK(S_ISREG(st.st_mode), IVL_EIO, "%s: not a regular file", path);
    return ivl_read_file(path, most[part], data_p, n_p);
}

ivl_status ivl_dataset_part(const ivl_dataset *ds, const ivl_item *it, int part, char **data_p, size_t *n_p)
{
    const ivl_source *s = &ds->source[it->source];
    if (!s->shard) return read_beside(ds, it, part, data_p, n_p);
    size_t n = it->bytes[part];
    char *data = malloc(n + 1);
    IVL_CHECK(data, IVL_ENOMEM, "%s: %s: no memory for %zu bytes", s->path, it->key, n);
    ivl_status r = read_shard(s, it, part, data);
    if (r != IVL_OK) {
        free(data);
        return r;
    }
    data[n] = 0;
    *data_p = data, *n_p = n;
    return IVL_OK;
}

static ivl_status read_record(const ivl_dataset *ds, int64_t i, bool image, ivl_sample *rec_p)
{
    IVL_CHECK(i >= 0 && i < ds->n_items, IVL_EINVAL, "record %lld of %lld", (long long)i,
              (long long)ds->n_items);
    const ivl_item *it = &ds->item[i];
    char *part[IVL_PARTS] = { NULL }, where[4096];
    size_t n[IVL_PARTS] = { 0 };
    ivl_sample rec = { 0 };
    ivl_status s = IVL_OK;
    ivl_dataset_where(ds, i, where, sizeof where);
    for (int p = image ? 0 : 1; s == IVL_OK && p <= IVL_PART_JSON; p++)
        if (it->has >> p & 1) s = ivl_dataset_part(ds, it, p, &part[p], &n[p]);
    if (s == IVL_OK)
        s = ivl_record_build(ds, it, where, part[IVL_PART_TEXT], part[IVL_PART_JSON], n[IVL_PART_JSON], &rec);
    free(part[IVL_PART_TEXT]), free(part[IVL_PART_JSON]);
    if (s != IVL_OK) {
        free(part[IVL_PART_IMAGE]);
        return s;
    }
    rec.image = (uint8_t *)part[IVL_PART_IMAGE], rec.image_bytes = n[IVL_PART_IMAGE];
    *rec_p = rec;
    return IVL_OK;
}

ivl_status ivl_dataset_read(const ivl_dataset *ds, int64_t i, ivl_sample *rec_p)
{
    return read_record(ds, i, true, rec_p);
}
bool ivl_dataset_has_mask(const ivl_dataset *ds, int64_t i) { return ds->item[i].has >> IVL_PART_MASK & 1; }

ivl_status ivl_dataset_read_mask(const ivl_dataset *ds, int64_t i, uint8_t **png_p, size_t *n_p)
{
    char *data = NULL, where[4096];
    IVL_CHECK(i >= 0 && i < ds->n_items, IVL_EINVAL, "record %lld of %lld", (long long)i, (long long)ds->n_items);
    IVL_CHECK(ds->item[i].has >> IVL_PART_MASK & 1, IVL_EINVAL, "%s: the record has no mask (KEY.mask.png)",
              ivl_dataset_where(ds, i, where, sizeof where));
    IVL_TRY(ivl_dataset_part(ds, &ds->item[i], IVL_PART_MASK, &data, n_p));
    *png_p = (uint8_t *)data;
    return IVL_OK;
}

ivl_status ivl_dataset_read_text(const ivl_dataset *ds, int64_t i, ivl_sample *rec_p)
{
    return read_record(ds, i, false, rec_p);
}
