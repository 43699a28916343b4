#include "runtime/zip.h"

#include <stdlib.h>
#include <string.h>

enum { END = 22, END64 = 56, LOCATOR = 20, CENTRAL = 46, LOCAL = 30, COMMENT = 65535, MOST = 1 << 24 };

typedef struct zip { const unsigned char *p; size_t n; const char *name; } zip;

static uint64_t whole(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static bool has(const unsigned char *p, uint32_t signature) { return whole(p, 4) == signature; }

static bool inside(const zip *z, uint64_t at, uint64_t bytes) { return at <= z->n && bytes <= z->n - at; }

static ivl_status damaged(const zip *z, const char *what)
{
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no whole zip archive: %s; it is damaged or cut off",
                    z->name, what);
}

bool ivl_zip_is(const void *data, size_t n) { return n >= 4 && (has(data, 0x04034b50) || has(data, 0x06054b50)); }

/* The list of members: how many, where, how long. */
static ivl_status find_central(const zip *z, uint64_t *count_p, uint64_t *at_p, uint64_t *bytes_p)
{
    size_t least = z->n > END + COMMENT ? z->n - END - COMMENT : 0, e = z->n < END ? 0 : z->n - END;
    if (z->n < END) return damaged(z, "too short");
    while (e > least && !has(z->p + e, 0x06054b50)) e--;
    if (!has(z->p + e, 0x06054b50)) return damaged(z, "its end is missing");
    *count_p = whole(z->p + e + 10, 2), *bytes_p = whole(z->p + e + 12, 4), *at_p = whole(z->p + e + 16, 4);
    if (e >= LOCATOR && has(z->p + e - LOCATOR, 0x07064b50)) {
        uint64_t far = whole(z->p + e - LOCATOR + 8, 8);
        if (!inside(z, far, END64) || !has(z->p + far, 0x06064b50)) return damaged(z, "its 64-bit end is missing");
        *count_p = whole(z->p + far + 32, 8), *bytes_p = whole(z->p + far + 40, 8), *at_p = whole(z->p + far + 48, 8);
    }
    if (!inside(z, *at_p, *bytes_p) || *count_p > *bytes_p / CENTRAL || *count_p > MOST)
        return damaged(z, "its list of members does not fit");
    return IVL_OK;
}

/* Sizes that need 64 bits stand in an extra field, in this order, each only if its short form is all ones. */
static void read_long(const unsigned char *extra, size_t n, uint64_t *usize, uint64_t *csize, uint64_t *at)
{
    for (size_t i = 0; i + 4 <= n;) {
        size_t id = (size_t)whole(extra + i, 2), len = (size_t)whole(extra + i + 2, 2), k = i + 4;
        if (len > n - k) return;
        size_t end = k + len;
        uint64_t *field[] = { usize, csize, at };
        for (int f = 0; id == 1 && f < 3; f++)
            if (*field[f] == UINT32_MAX && k + 8 <= end) *field[f] = whole(extra + k, 8), k += 8;
        i = end;
    }
}

static ivl_status read_member(const zip *z, const unsigned char *p, size_t left, ivl_zip_member *m, size_t *taken_p)
{
    if (left < CENTRAL || !has(p, 0x02014b50)) return damaged(z, "its list of members ends early");
    size_t name = (size_t)whole(p + 28, 2), extra = (size_t)whole(p + 30, 2), comment = (size_t)whole(p + 32, 2);
    if (left - CENTRAL < name + extra + comment) return damaged(z, "its list of members ends early");
    uint64_t csize = whole(p + 20, 4), usize = whole(p + 24, 4), at = whole(p + 42, 4);
    if (!(m->name = malloc(name + 1))) return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    memcpy(m->name, p + CENTRAL, name), m->name[name] = 0;
    IVL_CHECK(strlen(m->name) == name, IVL_EFORMAT, "%s: the name of a member holds a NUL byte", z->name);
    read_long(p + CENTRAL + name, extra, &usize, &csize, &at);
    IVL_CHECK(whole(p + 10, 2) == 0 && !(whole(p + 8, 2) & 1) && csize == usize, IVL_EUNSUPPORTED,
              "%s: member '%.100s' is compressed or encrypted; only stored members are read", z->name, m->name);
    if (!inside(z, at, LOCAL) || !has(z->p + at, 0x04034b50)) return damaged(z, m->name);
    uint64_t data = at + LOCAL + whole(z->p + at + 26, 2) + whole(z->p + at + 28, 2);
    if (!inside(z, data, usize)) return damaged(z, m->name);
    m->data = z->p + data, m->bytes = (size_t)usize;
    *taken_p = CENTRAL + name + extra + comment;
    return IVL_OK;
}

ivl_status ivl_zip_list(const void *data, size_t n, const char *name, ivl_zip_member **list_p, int *n_p)
{
    zip z = { data, n, name };
    uint64_t count = 0, at = 0, bytes = 0;
    IVL_TRY(find_central(&z, &count, &at, &bytes));
    ivl_zip_member *list = calloc((size_t)count + 1, sizeof *list);
    IVL_CHECK(list, IVL_ENOMEM, "out of memory");
    ivl_status s = IVL_OK;
    for (uint64_t i = 0; i < count && s == IVL_OK; i++) {
        size_t taken = 0;
        s = read_member(&z, z.p + at, (size_t)bytes, &list[i], &taken);
        at += taken, bytes -= taken;
    }
    if (s != IVL_OK) {
        ivl_zip_free(list, (int)count);
        return s;
    }
    *list_p = list, *n_p = (int)count;
    return IVL_OK;
}

void ivl_zip_free(ivl_zip_member *list, int n)
{
    for (int i = 0; list && i < n; i++) free(list[i].name);
    free(list);
}
