#include "data/picture_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/paths.h"
#include "data/tar.h"
#include "runtime/file.h"

enum { KEEP_OPEN = 256 };
static const int64_t unpack_limit = (int64_t)16 << 30;

typedef struct member {
    char *name;
    int64_t off, bytes;
    int tar;
} member;

struct ivl_picture_store {
    char *path;
    ivl_paths tar; /* none: a folder of pictures */
    int *fd;       /* of each; -1: it is opened to read */
    member *m;     /* sorted by name */
    size_t n, room;
    int at; /* the tar that is being indexed */
};

/* "./a.jpg" and "a.jpg" are the same member. */
static const char *plain(const char *name)
{
    while (name[0] == '.' && name[1] == '/') name += 2;
    return name;
}

static ivl_status visit(void *user, const ivl_tar_member *t, const char *trouble)
{
    ivl_picture_store *s = user;
    if (trouble && *t->path) return IVL_OK; /* a link, say: whoever wants it hears that it is not there */
    IVL_CHECK(!trouble, IVL_EFORMAT, "%s: %s", s->tar.v[s->at], trouble);
    if (s->n == s->room) {
        size_t room = 2 * s->room + 64;
        member *more = realloc(s->m, room * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "%s: out of memory for %zu members", s->path, room);
        s->m = more, s->room = room;
    }
    char *name = strdup(plain(t->path));
    IVL_CHECK(name, IVL_ENOMEM, "%s: out of memory", s->path);
    s->m[s->n++] = (member){ name, t->off, t->bytes, s->at };
    return IVL_OK;
}

/* Of equal names the later member, as unpacking would have it, comes first. */
static int by_name(const void *a, const void *b)
{
    const member *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    if (!c) c = (x->tar < y->tar) - (x->tar > y->tar);
    return c ? c : (x->off < y->off) - (x->off > y->off);
}

static ivl_status open_tar(ivl_picture_store *s, int i)
{
    const char *path = s->tar.v[i];
    bool plain_tar = ivl_ends_with(path, ".tar");
    int fd = -1;
    if (plain_tar)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    else
        IVL_TRY(ivl_tar_unpack(path, unpack_limit, &fd));
    IVL_CHECK(fd >= 0, IVL_EIO, "%s: cannot read: %s", path, strerror(errno));
    s->at = i;
    ivl_status r = ivl_tar_walk(fd, path, visit, s);
    if (r != IVL_OK || (plain_tar && i >= KEEP_OPEN))
        close(fd);
    else
        s->fd[i] = fd;
    return r;
}

static ivl_status open_tars(ivl_picture_store *s)
{
    s->fd = malloc((size_t)s->tar.n * sizeof *s->fd + 1);
    IVL_CHECK(s->fd, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < s->tar.n; i++) s->fd[i] = -1;
    for (int64_t i = 0; i < s->tar.n; i++) IVL_TRY(open_tar(s, (int)i));
    if (s->n) qsort(s->m, s->n, sizeof *s->m, by_name);
    return IVL_OK;
}

static ivl_status open_store(ivl_picture_store *s, const char *path)
{
    struct stat st;
    IVL_CHECK(s->path = strdup(path), IVL_ENOMEM, "out of memory");
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        IVL_TRY(ivl_paths_suffix(path, ".tar", &s->tar));
    else if (ivl_paths_expand(path, &s->tar) != IVL_OK)
        return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s; pictures lie in a folder or in tar files",
                        ivl_last_error());
    return open_tars(s);
}

ivl_status ivl_picture_store_open(const char *path, ivl_picture_store **s_p)
{
    ivl_picture_store *s = calloc(1, sizeof *s);
    IVL_CHECK(s, IVL_ENOMEM, "out of memory");
    ivl_status r = open_store(s, path);
    if (r != IVL_OK) {
        ivl_picture_store_close(s);
        return r;
    }
    *s_p = s;
    return IVL_OK;
}

void ivl_picture_store_close(ivl_picture_store *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) free(s->m[i].name);
    for (int64_t i = 0; s->fd && i < s->tar.n; i++)
        if (s->fd[i] >= 0) close(s->fd[i]);
    ivl_paths_free(&s->tar);
    free(s->m), free(s->fd), free(s->path), free(s);
}

static const member *find(const ivl_picture_store *s, const char *name)
{
    size_t lo = 0, hi = s->n;
    for (name = plain(name); lo < hi;) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(s->m[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && !strcmp(s->m[lo].name, name) ? &s->m[lo] : NULL;
}

static ivl_status file_of(const ivl_picture_store *s, const char *name, char **path_p)
{
    struct stat st;
    char *path = *name == '/' ? strdup(name) : ivl_path_join(s->path, name);
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status r = IVL_OK;
    if (stat(path, &st))
        r = ivl_fail(IVL_EIO, __FILE__, __LINE__, "no picture %s (%s)", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        r = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s is not a regular file", path);
    if (r == IVL_OK)
        *path_p = path;
    else
        free(path);
    return r;
}

static ivl_status member_of(const ivl_picture_store *s, const char *name, const member **m_p)
{
    *m_p = find(s, name);
    IVL_CHECK(*m_p, IVL_EIO, "no picture %s in %s", name, s->path);
    IVL_CHECK((*m_p)->bytes <= IVL_MAX_IMAGE, IVL_EFORMAT, "%s in %s has %lld bytes; at most %d are read",
              name, s->path, (long long)(*m_p)->bytes, IVL_MAX_IMAGE);
    return IVL_OK;
}

/* A folder may hold both: tar files, and pictures beside them. */
static bool is_file(const ivl_picture_store *s, const char *name)
{
    struct stat st;
    if (!s->tar.n) return true;
    if (find(s, name) || stat(s->path, &st) || !S_ISDIR(st.st_mode)) return false;
    char *path = *name == '/' ? strdup(name) : ivl_path_join(s->path, name);
    bool there = path && !stat(path, &st);
    free(path);
    return there;
}

ivl_status ivl_picture_store_find(const ivl_picture_store *s, const char *name)
{
    const member *m;
    char *path = NULL;
    if (!is_file(s, name)) return member_of(s, name, &m);
    IVL_TRY(file_of(s, name, &path));
    free(path);
    return IVL_OK;
}

static ivl_status read_member(const ivl_picture_store *s, const member *m, uint8_t *to)
{
    int own = s->fd[m->tar], fd = own >= 0 ? own : open(s->tar.v[m->tar], O_RDONLY | O_CLOEXEC);
    int64_t got = 0;
    ssize_t r = fd >= 0 ? 1 : -1;
    while (r > 0 && got < m->bytes) {
        r = pread(fd, to + got, (size_t)(m->bytes - got), m->off + got);
        if (r < 0 && errno == EINTR)
            r = 1;
        else if (r > 0)
            got += r;
    }
    int why = errno;
    if (fd >= 0 && fd != own) close(fd);
    IVL_CHECK(got == m->bytes, IVL_EIO, "%s: cannot read %s: %s", s->tar.v[m->tar], m->name,
              r < 0 ? strerror(why) : "the file became shorter");
    return IVL_OK;
}

ivl_status ivl_picture_store_read(const ivl_picture_store *s, const char *name, uint8_t **bytes_p,
                                  size_t *n_p)
{
    const member *m;
    char *path = NULL, *data = NULL;
    if (is_file(s, name)) {
        IVL_TRY(file_of(s, name, &path));
        ivl_status r = ivl_read_file(path, IVL_MAX_IMAGE, &data, n_p);
        free(path);
        if (r == IVL_OK) *bytes_p = (uint8_t *)data;
        return r;
    }
    IVL_TRY(member_of(s, name, &m));
    uint8_t *bytes = malloc((size_t)m->bytes + 1);
    IVL_CHECK(bytes, IVL_ENOMEM, "%s: %s: no memory for %lld bytes", s->path, name, (long long)m->bytes);
    ivl_status r = read_member(s, m, bytes);
    if (r != IVL_OK) {
        free(bytes);
        return r;
    }
    *bytes_p = bytes, *n_p = (size_t)m->bytes;
    return IVL_OK;
}
