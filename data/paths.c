#include "data/paths.h"
#include "runtime/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_PARTS = 1 << 20, MAX_DEPTH = 32 };

ivl_status ivl_paths_add(ivl_paths *p, const char *text)
{
    if (p->n == p->room) {
        int64_t room = 2 * p->room + 16;
        char **more = realloc(p->v, (size_t)room * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory for %lld paths", (long long)room);
        p->v = more;
        bool *ends = realloc(p->ends, (size_t)room * sizeof *ends);
        IVL_CHECK(ends, IVL_ENOMEM, "out of memory for %lld paths", (long long)room);
        p->ends = ends, p->room = room;
    }
    char *copy = strdup(text);
    IVL_CHECK(copy, IVL_ENOMEM, "out of memory");
    p->ends[p->n] = false;
    p->v[p->n++] = copy;
    return IVL_OK;
}

void ivl_paths_free(ivl_paths *p)
{
    for (int64_t i = 0; i < p->n; i++) free(p->v[i]);
    free(p->v), free(p->ends);
    *p = (ivl_paths){ 0 };
}

bool ivl_ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && !strcasecmp(text + n - m, suffix);
}

bool ivl_is_picture_name(const char *name)
{
    return ivl_ends_with(name, ".jpg") || ivl_ends_with(name, ".jpeg") || ivl_ends_with(name, ".png") ||
           ivl_ends_with(name, ".webp");
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}

static ivl_status add_glob(const char *pattern, ivl_paths *out)
{
    glob_t g;
    int r = glob(pattern, 0, NULL, &g);
    ivl_status s = IVL_OK;
    if (r)
        s = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: %s", pattern,
                     r == GLOB_NOMATCH ? "no file is named like this" : "cannot look for files");
    for (size_t i = 0; s == IVL_OK && i < g.gl_pathc; i++) s = ivl_paths_add(out, g.gl_pathv[i]);
    if (!r) globfree(&g);
    return s;
}

static ivl_status expand(const char *text, ivl_paths *out);

/* head + middle + tail, expanded further. */
static ivl_status expand_with(const char *text, const char *open, const char *middle, int n,
                              const char *close, ivl_paths *out)
{
    IVL_CHECK(out->n < MAX_PARTS, IVL_EINVAL, "%s: stands for more than %d files", text, MAX_PARTS);
    size_t head = (size_t)(open - text), room = strlen(text) + (size_t)n + 1;
    char *path = malloc(room);
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    snprintf(path, room, "%.*s%.*s%s", (int)head, text, n, middle, close + 1);
    ivl_status s = expand(path, out);
    free(path);
    return s;
}

/* "000..012" with as many digits as the first has; false if it is not a range. */
static bool range_of(const char *p, const char *end, long *from, long *to, int *width)
{
    char *stop = NULL;
    if (!isdigit((unsigned char)*p)) return false;
    errno = 0;
    *from = strtol(p, &stop, 10), *width = (int)(stop - p);
    if (strncmp(stop, "..", 2) || !isdigit((unsigned char)stop[2])) return false;
    *to = strtol(stop + 2, &stop, 10);
    return stop == end && !errno && *width < 18;
}

static ivl_status expand_brace(const char *text, const char *open, const char *close, ivl_paths *out)
{
    long from = 0, to = 0;
    int width = 0;
    char number[32];
    if (range_of(open + 1, close, &from, &to, &width)) {
        IVL_CHECK(from <= to, IVL_EINVAL, "%s: the range %ld..%ld is empty", text, from, to);
        for (long i = from; i <= to; i++)
            IVL_TRY(expand_with(text, open, number, snprintf(number, sizeof number, "%0*ld", width, i), close,
                                out));
        return IVL_OK;
    }
    for (const char *p = open + 1; p <= close;) {
        const char *end = p;
        while (*end != ',' && end < close) end++;
        IVL_TRY(expand_with(text, open, p, (int)(end - p), close, out));
        p = end + 1;
    }
    return IVL_OK;
}

static ivl_status expand(const char *text, ivl_paths *out)
{
    if (exists(text)) return ivl_paths_add(out, text);
    const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
    if (close) return expand_brace(text, open, close, out);
    if (strpbrk(text, "*?[")) return add_glob(text, out);
    IVL_CHECK(!strstr(text, "://") && strncmp(text, "pipe:", 5), IVL_EINVAL,
              "%s: only local files are read; download it first", text);
    return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot read: %s", text, strerror(ENOENT));
}

ivl_status ivl_paths_expand(const char *spec, ivl_paths *out_p)
{
    ivl_paths all = { 0 };
    char *copy = strdup(spec);
    ivl_status s = copy ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (char *p = copy, *next; s == IVL_OK && p; p = next) {
        next = strstr(p, "::");
        if (next) *next = 0, next += 2;
        if (*p) s = expand(p, &all);
        else s = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "data \"%s\": a part is empty", spec);
        if (s == IVL_OK && all.n) all.ends[all.n - 1] = true;
    }
    free(copy);
    if (s == IVL_OK) *out_p = all;
    else ivl_paths_free(&all);
    return s;
}

static ivl_status find_files(const char *dir, const char *below, int depth, const char *suffix, ivl_paths *out);

static bool wanted(const char *rel, const char *suffix)
{
    if (suffix) return ivl_ends_with(rel, suffix);
    return ivl_is_picture_name(rel) && !ivl_ends_with(rel, ".mask.png");
}

static ivl_status visit(const char *dir, const char *below, const struct dirent *e, int depth, const char *suffix,
                        ivl_paths *out)
{
    struct stat st;
    char *rel = *below ? ivl_path_join(below, e->d_name) : strdup(e->d_name),
         *full = rel ? ivl_path_join(dir, rel) : NULL;
    ivl_status s = full ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK && !lstat(full, &st)) {
        if (S_ISDIR(st.st_mode)) s = find_files(dir, rel, depth + 1, suffix, out);
        else if (wanted(rel, suffix) && !stat(full, &st) && S_ISREG(st.st_mode)) s = ivl_paths_add(out, rel);
    }
    free(rel), free(full);
    return s;
}

static ivl_status find_files(const char *dir, const char *below, int depth, const char *suffix, ivl_paths *out)
{
    char *path = *below ? ivl_path_join(dir, below) : strdup(dir);
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    DIR *d = depth < MAX_DEPTH ? opendir(path) : NULL;
    ivl_status s = d ? IVL_OK : ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot read this folder: %s", path,
                                         depth < MAX_DEPTH ? strerror(errno) : "it is nested too deeply");
    for (struct dirent *e; s == IVL_OK && (e = readdir(d));)
        if (e->d_name[0] != '.') s = visit(dir, below, e, depth, suffix, out);
    if (d) closedir(d);
    free(path);
    return s;
}

static void sort(ivl_paths *p)
{
    if (p->n) qsort(p->v, (size_t)p->n, sizeof *p->v, by_bytes);
}

static ivl_status find_sorted(const char *dir, const char *suffix, ivl_paths *out_p)
{
    ivl_paths all = { 0 };
    ivl_status s = find_files(dir, "", 0, suffix, &all);
    if (s != IVL_OK) {
        ivl_paths_free(&all);
        return s;
    }
    sort(&all);
    *out_p = all;
    return IVL_OK;
}

ivl_status ivl_paths_pictures(const char *dir, ivl_paths *out_p) { return find_sorted(dir, NULL, out_p); }

ivl_status ivl_paths_below(const char *dir, const char *suffix, ivl_paths *out_p)
{
    return find_sorted(dir, suffix, out_p);
}

ivl_status ivl_paths_suffix(const char *dir, const char *suffix, ivl_paths *out_p)
{
    ivl_paths all = { 0 };
    DIR *d = opendir(dir);
    IVL_CHECK(d, IVL_EIO, "%s: cannot read this folder: %s", dir, strerror(errno));
    ivl_status s = IVL_OK;
    for (struct dirent *e; s == IVL_OK && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !ivl_ends_with(e->d_name, suffix)) continue;
        char *path = ivl_path_join(dir, e->d_name);
        s = path ? ivl_paths_add(&all, path) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        free(path);
    }
    closedir(d);
    sort(&all);
    if (s == IVL_OK) *out_p = all;
    else ivl_paths_free(&all);
    return s;
}
