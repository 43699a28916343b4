#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ivl_status ivl_out_open(const char *path, ivl_out_file *out_p)
{
    ivl_out_file out = { 0 };
    struct stat st;
    size_t n = strlen(path) + 32;
    bool special = !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    IVL_CHECK(!special, IVL_EIO, "%s: is a device or a pipe, which a file would replace: name a file", path);
    out.path = strdup(path);
    out.temp = malloc(n);
    if (out.path && out.temp) {
        snprintf(out.temp, n, "%s.tmp.%ld", path, (long)getpid());
        out.f = fopen(out.temp, "wb");
        if (out.f) {
            *out_p = out;
            return IVL_OK;
        }
    }
    ivl_status s = out.temp ? ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot write: %s", path, strerror(errno))
                            : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    free(out.path), free(out.temp);
    return s;
}

static void sync_folder(const char *path)
{
    char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
    if (slash) *slash = 0;
    int fd = dir ? open(slash ? (*dir ? dir : "/") : ".", O_RDONLY | O_DIRECTORY) : -1;
    if (fd >= 0) fsync(fd), close(fd);
    free(dir);
}

/* Why a stream failed, which it does not keep: the file is given up, so one more byte does no harm. */
static int reason(FILE *f)
{
    errno = 0;
    return write(fileno(f), "", 1) < 0 && errno ? errno : EIO;
}

ivl_status ivl_out_failed(const ivl_out_file *out)
{
    return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot write: %s", out->path, strerror(reason(out->f)));
}

ivl_status ivl_out_sync(ivl_out_file *out)
{
    errno = 0;
    if (ferror(out->f)) return ivl_out_failed(out);
    IVL_CHECK(!fflush(out->f) && !fsync(fileno(out->f)), IVL_EIO, "%s: cannot write: %s", out->path,
              strerror(errno ? errno : EIO));
    return IVL_OK;
}

ivl_status ivl_out_commit(ivl_out_file *out)
{
    int bad = ferror(out->f) ? reason(out->f) : 0;
    errno = 0;
    if (!bad && (fflush(out->f) || fsync(fileno(out->f)))) bad = errno ? errno : EIO;
    if (fclose(out->f) && !bad) bad = errno;
    out->f = NULL;
    if (!bad && rename(out->temp, out->path)) bad = errno;
    ivl_status s = IVL_OK;
    if (bad) s = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot write: %s", out->path, strerror(bad));
    else sync_folder(out->path), out->temp[0] = 0;
    ivl_out_abandon(out);
    return s;
}

void ivl_out_abandon(ivl_out_file *out)
{
    if (out->f) fclose(out->f);
    if (out->temp && out->temp[0]) unlink(out->temp);
    free(out->path), free(out->temp);
    *out = (ivl_out_file){ 0 };
}

static ivl_status open_regular(const char *path, int *fd_p, size_t *bytes_p)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    IVL_CHECK(fd >= 0, IVL_EIO, "%s: cannot read: %s", path, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: not a regular file", path);
    }
    *fd_p = fd, *bytes_p = (size_t)st.st_size;
    return IVL_OK;
}

static ivl_status read_all(int fd, const char *path, char *data, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, data + at, n - at);
        if (got < 0 && errno == EINTR) continue;
        IVL_CHECK(got > 0, IVL_EIO, "%s: cannot read: %s", path, got ? strerror(errno) : "it became shorter");
        at += (size_t)got;
    }
    return IVL_OK;
}

ivl_status ivl_read_file(const char *path, size_t limit, char **data_p, size_t *bytes_p)
{
    int fd = -1;
    size_t n = 0;
    char *data = NULL;
    IVL_TRY(open_regular(path, &fd, &n));
    ivl_status s = IVL_OK;
    if (limit && n > limit)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %zu bytes, more than the %zu expected at most",
                     path, n, limit);
    else if (!(data = malloc(n + 1)))
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: no memory for its %zu bytes", path, n);
    else
        s = read_all(fd, path, data, n);
    close(fd);
    if (s != IVL_OK) {
        free(data);
        return s;
    }
    data[n] = 0;
    *data_p = data;
    if (bytes_p) *bytes_p = n;
    return IVL_OK;
}

ivl_status ivl_copy_file(const char *from, const char *to)
{
    char *data = NULL;
    size_t n = 0;
    ivl_out_file out = { 0 };
    IVL_TRY(ivl_read_file(from, (size_t)1 << 30, &data, &n));
    ivl_status s = ivl_out_open(to, &out);
    if (s == IVL_OK) {
        fwrite(data, 1, n, out.f); /* an error shows at commit */
        s = ivl_out_commit(&out);
    }
    free(data);
    return s;
}

ivl_status ivl_copy_if_there(const char *name, const char *from, const char *to)
{
    char *a = ivl_path_join(from, name), *b = ivl_path_join(to, name);
    ivl_status s = a && b ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK && !access(a, F_OK)) s = ivl_copy_file(a, b);
    free(a), free(b);
    return s;
}

ivl_status ivl_map_open(const char *path, ivl_map *map_p)
{
    int fd = -1;
    size_t n = 0;
    IVL_TRY(open_regular(path, &fd, &n));
    void *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    IVL_CHECK(p != MAP_FAILED, IVL_EIO, "%s: cannot map: %s", path, strerror(errno));
    *map_p = (ivl_map){ p, n };
    return IVL_OK;
}

void ivl_map_close(ivl_map *map)
{
    if (map->data) munmap(map->data, map->bytes);
    *map = (ivl_map){ 0 };
}

ivl_status ivl_make_dirs(const char *path)
{
    char *p = strdup(path);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    int bad = 0;
    for (char *s = p + 1; !bad; s++) {
        char c = *s;
        if (c && c != '/') continue;
        *s = 0;
        if (mkdir(p, 0777) && errno != EEXIST) bad = errno;
        *s = c;
        if (!c) break;
    }
    free(p);
    struct stat st;
    if (!bad && (stat(path, &st) || !S_ISDIR(st.st_mode))) bad = ENOTDIR;
    IVL_CHECK(!bad, IVL_EIO, "%s: cannot make this folder: %s", path, strerror(bad));
    return IVL_OK;
}

char *ivl_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *p = malloc(n);
    if (p) snprintf(p, n, "%s/%s", dir, name);
    return p;
}

char *ivl_cache_path(const char *name)
{
    const char *own = getenv("IVL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own) return ivl_path_join(own, name);
    bool is_xdg = xdg && *xdg;
    if (!is_xdg && (!home || !*home)) return NULL;
    char *dir = ivl_path_join(is_xdg ? xdg : home, is_xdg ? "ivl" : ".cache/ivl");
    char *path = dir ? ivl_path_join(dir, name) : NULL;
    free(dir);
    return path;
}
