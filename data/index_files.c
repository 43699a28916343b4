/* The index of pictures that are files of their own: a folder, a list, a single one. */
#include "data/dataset.h"
#include "data/paths.h"
#include "runtime/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From a picture's path to its record; open addressing, empty = -1. */
typedef struct names { int64_t *slot; int64_t n, room; } names;

static uint64_t hash(const char *p)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h ^ h >> 29;
}

/* The slot of `file`, or the empty one where it belongs. */
static int64_t *find(const names *t, const ivl_dataset *ds, const char *file)
{
    uint64_t i = hash(file) & (uint64_t)(t->room - 1);
    while (t->slot[i] >= 0 && strcmp(ds->item[t->slot[i]].file, file)) i = (i + 1) & (uint64_t)(t->room - 1);
    return &t->slot[i];
}

static ivl_status names_grow(names *t, const ivl_dataset *ds)
{
    if (2 * t->n < t->room) return IVL_OK;
    names more = { .room = t->room ? 2 * t->room : 64, .n = t->n };
    more.slot = malloc((size_t)more.room * sizeof *more.slot);
    IVL_CHECK(more.slot, IVL_ENOMEM, "out of memory for an index of %lld records", (long long)t->n);
    for (int64_t i = 0; i < more.room; i++) more.slot[i] = -1;
    for (int64_t i = 0; i < t->room; i++)
        if (t->slot[i] >= 0) *find(&more, ds, ds->item[t->slot[i]].file) = t->slot[i];
    free(t->slot);
    *t = more;
    return IVL_OK;
}

static ivl_status names_add(names *t, const ivl_dataset *ds, int64_t item)
{
    IVL_TRY(names_grow(t, ds));
    int64_t *slot = find(t, ds, ds->item[item].file);
    if (*slot < 0) *slot = item, t->n++;
    return IVL_OK;
}

static ivl_status add_source(ivl_dataset *ds, const char *path, const char *dir, ivl_source **s_p)
{
    IVL_TRY(ivl_dataset_add_source(ds, path, s_p));
    (*s_p)->dir = strdup(dir);
    IVL_CHECK((*s_p)->dir, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

/* One picture; its key is its path without the extension. */
static ivl_status add_picture(ivl_dataset *ds, const char *file)
{
    const char *dot = strrchr(file, '.'), *slash = strrchr(file, '/');
    size_t n = dot && (!slash || dot > slash) ? (size_t)(dot - file) : strlen(file);
    ivl_item *it = NULL;
    IVL_TRY(ivl_dataset_add_item(ds, file, n, &it));
    it->file = ivl_dataset_string(ds, file, strlen(file));
    IVL_CHECK(it->file, IVL_ENOMEM, "out of memory");
    it->has = 1u << IVL_PART_IMAGE;
    return IVL_OK;
}

/* Are there NAME.txt and NAME.json? */
static void look_beside(const ivl_dataset *ds, ivl_item *it)
{
    static const char *const ext[] = { NULL, ".txt", ".json", ".mask.png" };
    char path[4096];
    ivl_dataset_where(ds, it - ds->item, path, sizeof path - 12);
    char *dot = strrchr(path, '.');
    for (int p = IVL_PART_TEXT; dot && p < IVL_PARTS; p++) {
        memcpy(dot, ext[p], strlen(ext[p]) + 1);
        if (!access(path, F_OK)) it->has |= 1u << p;
    }
}

/* "NAME.jpg#0" of Flickr's lists is NAME.jpg. */
static void cut_number(char *path)
{
    char *mark = strrchr(path, '#');
    if (!mark || !mark[1]) return;
    for (char *p = mark + 1; *p; p++)
        if (!isdigit((unsigned char)*p)) return;
    *mark = 0;
}

/* A first row of names that are not ours: what should be a path is none. */
static bool is_header(const ivl_dataset *ds, const char *file)
{
    char *path = ivl_path_join(ds->source[ds->n_sources - 1].dir, file);
    bool there = !path || !access(*file == '/' || !*ds->source[ds->n_sources - 1].dir ? file : path, F_OK);
    free(path);
    return !there && !ivl_is_picture_name(file);
}

/* Rows of the last source's table to records; a path not in `seen` is added, or noted where the records are
 * given. */
static ivl_status tell_rows(ivl_dataset *ds, names *seen, bool add)
{
    ivl_table *t = &ds->source[ds->n_sources - 1].table;
    char *f[IVL_TABLE_FIELDS];
    for (bool more = true;;) {
        IVL_TRY(ivl_table_next(t, f, &more));
        if (!more) return IVL_OK;
        char *file = f[IVL_TABLE_PATH];
        if (!file) {
            ivl_dataset_note(ds, "%s: line %lld: it has no path", t->name, (long long)t->line);
            continue;
        }
        cut_number(file);
        if (t->line == 1 && add && is_header(ds, file)) {
            ivl_dataset_note(ds, "%s: its first row has no column path (or file, image), and %s is no picture", t->name,
                             file);
            continue;
        }
        int64_t item = seen->room ? *find(seen, ds, file) : -1;
        if (item < 0 && !add) {
            ivl_dataset_note(ds, "%s: line %lld: there is no picture %s", t->name, (long long)t->line, file);
            continue;
        }
        if (item < 0) {
            item = ds->n_items;
            IVL_TRY(add_picture(ds, file));
            IVL_TRY(names_add(seen, ds, item));
        }
        ivl_item *it = &ds->item[item];
        if (!it->group) it->group = f[IVL_TABLE_GROUP];
        if (f[IVL_TABLE_CAPTION]) IVL_TRY(ivl_dataset_tell(ds, it, f[IVL_TABLE_CAPTION], f[IVL_TABLE_LANG]));
    }
}

ivl_status ivl_index_table(ivl_dataset *ds, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("");
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_source *src = NULL;
    names seen = { 0 };
    ivl_status s = add_source(ds, path, dir, &src);
    if (s == IVL_OK) s = ivl_table_open(src->path, &src->table);
    if (s == IVL_OK) s = tell_rows(ds, &seen, true);
    free(seen.slot), free(dir);
    return s;
}

/* Lists at the top of a folder. */
static ivl_status tell_lists(ivl_dataset *ds, const char *dir, names *seen)
{
    static const char *const lists[] = { "captions.txt", "captions.tsv", "captions.csv", "metadata.csv" };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char *path = ivl_path_join(dir, lists[i]);
        IVL_CHECK(path, IVL_ENOMEM, "out of memory");
        ivl_source *src = NULL;
        ivl_status s = IVL_OK;
        if (!access(path, F_OK)) {
            s = add_source(ds, path, dir, &src);
            if (s == IVL_OK) s = ivl_table_open(src->path, &src->table);
            if (s == IVL_OK) s = tell_rows(ds, seen, false);
        }
        free(path);
        IVL_TRY(s);
    }
    return IVL_OK;
}

ivl_status ivl_index_folder(ivl_dataset *ds, const char *path)
{
    ivl_paths files = { 0 };
    names seen = { 0 };
    ivl_source *src = NULL;
    ivl_status s = add_source(ds, path, path, &src);
    if (s == IVL_OK) s = ivl_paths_pictures(path, &files);
    for (int64_t i = 0; s == IVL_OK && i < files.n; i++) {
        s = add_picture(ds, files.v[i]);
        if (s != IVL_OK) break;
        look_beside(ds, &ds->item[ds->n_items - 1]);
        s = names_add(&seen, ds, ds->n_items - 1);
    }
    if (s == IVL_OK) s = tell_lists(ds, path, &seen);
    ivl_paths_free(&files);
    free(seen.slot);
    return s;
}

ivl_status ivl_index_picture(ivl_dataset *ds, const char *path)
{
    ivl_source *src = NULL;
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("");
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_status s = add_source(ds, path, dir, &src);
    free(dir);
    IVL_TRY(s);
    IVL_TRY(add_picture(ds, slash ? slash + 1 : path));
    look_beside(ds, &ds->item[ds->n_items - 1]);
    return IVL_OK;
}
