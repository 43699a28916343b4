#include "data/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512, MAX_NAME = 1 << 16 };

typedef struct walk {
    int fd;
    const char *name;
    int64_t size, pos; /* of the file; of the next header */
    uint8_t h[BLOCK];
    char *path;        /* from a long-name or pax header, for the next member; owned */
    int64_t bytes;     /* from a pax header; -1: none */
    bool sparse;
    ivl_tar_visit visit;
    void *user;
} walk;

static bool read_at(const walk *w, void *to, size_t n, int64_t at)
{
    for (size_t got = 0; got < n;) {
        ssize_t r = pread(w->fd, (char *)to + got, n - got, (off_t)(at + (int64_t)got));
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) return false;
        got += (size_t)r;
    }
    return true;
}

/* Octal text, or GNU's base-256 when the first bit is set; -1 if it is neither or does not fit. */
static int64_t number(const uint8_t *p, int n)
{
    uint64_t v = 0;
    if (*p & 0x80) {
        if (*p & 0x7f) return -1; /* more than 11 bytes of number, or negative */
        for (int i = 1; i < n; i++) {
            if (v >> 54) return -1;
            v = v << 8 | p[i];
        }
        return (int64_t)v;
    }
    int i = 0;
    while (i < n && p[i] == ' ') i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) v = v << 3 | (uint64_t)(p[i] - '0');
    return i < n && p[i] && p[i] != ' ' ? -1 : (int64_t)v;
}

static bool checksum_holds(const uint8_t *h)
{
    int64_t u = 0, s = 0, want = number(h + 148, 8); /* old writers summed signed bytes */
    for (int i = 0; i < BLOCK; i++) {
        bool field = i >= 148 && i < 156;
        u += field ? ' ' : h[i];
        s += field ? ' ' : (int8_t)h[i];
    }
    return want == u || want == s;
}

static bool all_zero(const uint8_t *h)
{
    for (int i = 0; i < BLOCK; i++)
        if (h[i]) return false;
    return true;
}

static ivl_status trouble(walk *w, const char *path, const char *why)
{
    ivl_tar_member m = { .path = path };
    return w->visit(w->user, &m, why);
}

/* A name header's content as text; *out_p is owned. */
static ivl_status read_text(walk *w, int64_t bytes, char **out_p)
{
    char *t = malloc((size_t)bytes + 1);
    IVL_CHECK(t, IVL_ENOMEM, "%s: out of memory", w->name);
    if (!read_at(w, t, (size_t)bytes, w->pos + BLOCK)) {
        free(t);
        return ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot read at byte %lld", w->name,
                        (long long)w->pos);
    }
    t[bytes] = 0;
    *out_p = t;
    return IVL_OK;
}

/* Records "LENGTH key=value\n". False if the text is not made of such. */
static bool pax(walk *w, char *t, int64_t bytes)
{
    for (char *end = t + bytes; t < end;) {
        char *sp = NULL;
        long n = strtol(t, &sp, 10);
        if (*sp != ' ' || n <= sp - t + 1 || n > end - t || t[n - 1] != '\n') return false;
        t[n - 1] = 0;
        char *key = sp + 1, *eq = strchr(key, '=');
        if (!eq) return false;
        if (!strncmp(key, "path=", 5)) {
            free(w->path);
            if (!(w->path = strdup(eq + 1))) return false;
        }
        if (!strncmp(key, "size=", 5)) w->bytes = strtoll(eq + 1, NULL, 10);
        if (!strncmp(key, "GNU.sparse.", 11)) w->sparse = true;
        t += n;
    }
    return true;
}

static const char *plain_path(const char *p)
{
    while (p[0] == '.' && p[1] == '/') p += 2;
    return p;
}

/* Why a path is refused; NULL if it is not. Nothing is written by these names, but none of them is honest. */
static const char *path_trouble(const char *p)
{
    if (!*p) return "it has no name";
    if (*p == '/') return "its path is absolute";
    for (const char *s = p; s; s = strchr(s, '/')) {
        s += *s == '/';
        if (s[0] == '.' && s[1] == '.' && (!s[2] || s[2] == '/')) return "its path leaves the folder (..)";
    }
    for (const char *s = p; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127) return "its path has control characters";
    return NULL;
}

static void header_path(const walk *w, char *out, size_t n)
{
    const char *h = (const char *)w->h;
    bool ustar = !memcmp(h + 257, "ustar\0", 6) && h[345];
    snprintf(out, n, "%.*s%s%.*s", ustar ? 155 : 0, h + 345, ustar ? "/" : "", 100, h);
}

/* The member whose header is in w->h. */
static ivl_status member(walk *w, int64_t bytes)
{
    char name[BLOCK], why[160];
    header_path(w, name, sizeof name);
    const char *path = plain_path(w->path ? w->path : name), *bad = NULL;
    char type = (char)w->h[156];
    switch (type) {
    case 0: case '0': case '7': break;
    case '5': return IVL_OK;
    case '1': case '2': bad = "links are not followed"; break;
    default: bad = "it is no regular file";
    }
    if (w->sparse) bad = "sparse members are not read";
    if (path_trouble(path)) bad = path_trouble(path);
    if (type == 0 && *path && path[strlen(path) - 1] == '/') return IVL_OK; /* a folder in the oldest form */
    if (!bad && w->pos + BLOCK > w->size - bytes) {
        snprintf(why, sizeof why, "the file is truncated: %lld bytes are announced, %lld are left",
                 (long long)bytes, (long long)(w->size - w->pos - BLOCK));
        bad = why;
    }
    ivl_tar_member m = { path, w->pos + BLOCK, bytes };
    return w->visit(w->user, &m, bad);
}

/* A header that describes the next one. *done_p: it was one. */
static ivl_status extension(walk *w, int64_t bytes, bool *done_p)
{
    char type = (char)w->h[156], *text = NULL;
    *done_p = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    if (type != 'L' && type != 'x') return IVL_OK;
    if (bytes > MAX_NAME || w->pos + BLOCK > w->size - bytes)
        return trouble(w, "", "a name header is too long");
    IVL_TRY(read_text(w, bytes, &text));
    bool ok = true;
    if (type == 'L') free(w->path), w->path = text;
    else ok = pax(w, text, bytes), free(text);
    return ok ? IVL_OK : trouble(w, "", "a pax header is damaged");
}

/* One header and what it announces. *more_p: there is something after it. */
static ivl_status step(walk *w, bool *more_p)
{
    *more_p = false;
    if (w->pos + BLOCK > w->size)
        return w->pos == w->size ? IVL_OK : trouble(w, "", "the file is truncated in a header");
    IVL_CHECK(read_at(w, w->h, BLOCK, w->pos), IVL_EIO, "%s: cannot read at byte %lld", w->name,
              (long long)w->pos);
    if (all_zero(w->h)) return IVL_OK;
    if (!checksum_holds(w->h)) {
        IVL_CHECK(w->pos, IVL_EFORMAT, "%s: not a tar file", w->name);
        char why[80];
        snprintf(why, sizeof why, "damaged header at byte %lld; what follows is lost", (long long)w->pos);
        return trouble(w, "", why);
    }
    bool named = false;
    int64_t bytes = number(w->h + 124, 12);
    if (bytes >= 0) IVL_TRY(extension(w, bytes, &named));
    if (!named && w->bytes >= 0) bytes = w->bytes;
    if (bytes < 0 || bytes > INT64_MAX / 2)
        return trouble(w, w->path ? w->path : "", "its size is no sensible number");
    if (!named) {
        char type = (char)w->h[156];
        if (type == '1' || type == '2' || type == '5') bytes = 0; /* whatever they say, no data follows */
        IVL_TRY(member(w, bytes));
        free(w->path);
        w->path = NULL, w->bytes = -1, w->sparse = false;
    }
    *more_p = w->size - w->pos - BLOCK >= bytes;
    w->pos += BLOCK + (bytes + BLOCK - 1) / BLOCK * BLOCK;
    return IVL_OK;
}

ivl_status ivl_tar_walk(int fd, const char *name, ivl_tar_visit visit, void *user)
{
    struct stat st;
    IVL_CHECK(!fstat(fd, &st), IVL_EIO, "%s: cannot read: %s", name, strerror(errno));
    IVL_CHECK(st.st_size > 0, IVL_EFORMAT, "%s: the file is empty", name);
    IVL_CHECK(st.st_size >= BLOCK, IVL_EFORMAT, "%s: not a tar file", name);
    walk w = { .fd = fd, .name = name, .size = st.st_size, .bytes = -1, .visit = visit, .user = user };
    ivl_status s = IVL_OK;
    for (bool more = true; more && s == IVL_OK;) s = step(&w, &more);
    free(w.path);
    return s;
}

static ivl_status pour(struct archive *a, const char *path, int64_t limit, int fd)
{
    static const char advice[] = "unpack it to a plain .tar";
    int64_t total = 0;
    char buf[1 << 16];
    for (;;) {
        la_ssize_t n = archive_read_data(a, buf, sizeof buf);
        IVL_CHECK(n >= 0, IVL_EFORMAT, "%s: cannot decompress: %s", path, archive_error_string(a));
        if (!n) return IVL_OK;
        IVL_CHECK((total += n) <= limit, IVL_EFORMAT, "%s: more than %lld MiB when decompressed; %s", path,
                  (long long)(limit >> 20), advice);
        for (la_ssize_t at = 0; at < n;) {
            ssize_t put = write(fd, buf + at, (size_t)(n - at));
            IVL_CHECK(put > 0, IVL_EIO,
                      "%s: no room to decompress in the temporary folder (%s); set TMPDIR, or %s", path,
                      strerror(errno), advice);
            at += put;
        }
    }
}

static ivl_status temporary_file(int *fd_p)
{
    const char *dir = getenv("TMPDIR");
    char name[4096];
    snprintf(name, sizeof name, "%s/ivl-XXXXXX", dir && *dir ? dir : "/tmp");
    int fd = mkstemp(name);
    IVL_CHECK(fd >= 0, IVL_EIO, "%s: cannot make a temporary file: %s; set TMPDIR", name, strerror(errno));
    unlink(name);
    *fd_p = fd;
    return IVL_OK;
}

ivl_status ivl_tar_unpack(const char *path, int64_t limit, int *fd_p)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e = NULL;
    int fd = -1;
    ivl_status s = a ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", path);
    if (s == IVL_OK) {
        archive_read_support_filter_all(a);
        archive_read_support_format_raw(a);
        if (archive_read_open_filename(a, path, 1 << 16) != ARCHIVE_OK ||
            archive_read_next_header(a, &e) != ARCHIVE_OK)
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: cannot decompress: %s", path,
                         archive_error_string(a));
    }
    if (s == IVL_OK) s = temporary_file(&fd);
    if (s == IVL_OK) s = pour(a, path, limit, fd);
    archive_read_free(a);
    if (s == IVL_OK) *fd_p = fd;
    else if (fd >= 0) close(fd);
    return s;
}
