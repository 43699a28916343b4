/* The header is a Python dict literal, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, padded
 * with blanks so that the data start at a multiple of 64. The keys may come in any order; nothing else is
 * accepted. */
#include "runtime/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 128, HEADER_LIMIT = 65536 }; /* ours, whatever the number of rows; the longest read */

/* --- writing -------------------------------------------------------------------------------------- */

static ivl_status put(ivl_npy_out *npy, const void *data, size_t n)
{
    errno = 0;
    IVL_CHECK(!n || fwrite(data, 1, n, npy->out.f) == n, IVL_EIO, "%s: cannot write: %s", npy->out.path,
              strerror(errno ? errno : EIO));
    return IVL_OK;
}

static ivl_status put_header(ivl_npy_out *npy)
{
    char text[HEADER + 1];
    memcpy(text, "\x93NUMPY\x01\x00\x76\x00", 10); /* 0x76 = HEADER - 10 */
    snprintf(text + 10, sizeof text - 10,
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 "), }", npy->rows,
             npy->cols);
    size_t n = 10 + strlen(text + 10);
    memset(text + n, ' ', HEADER - n);
    text[HEADER - 1] = '\n';
    return put(npy, text, HEADER);
}

ivl_status ivl_npy_create(const char *path, int64_t cols, ivl_npy_out *npy_p)
{
    ivl_npy_out npy = { .cols = cols };
    IVL_CHECK(cols > 0, IVL_EINVAL, "%s: rows of %" PRId64 " numbers", path, cols);
    IVL_TRY(ivl_out_open(path, &npy.out));
    ivl_status s = put_header(&npy);
    if (s == IVL_OK) *npy_p = npy;
    else ivl_out_abandon(&npy.out);
    return s;
}

ivl_status ivl_npy_append(ivl_npy_out *npy, const float *x, int64_t rows)
{
    npy->rows += rows;
    return put(npy, x, (size_t)(rows * npy->cols) * sizeof *x);
}

ivl_status ivl_npy_finish(ivl_npy_out *npy)
{
    ivl_status s = IVL_OK;
    if (fseek(npy->out.f, 0, SEEK_SET)) /* flushes: a full disk shows here */
        s = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot write: %s", npy->out.path, strerror(errno));
    if (s == IVL_OK) s = put_header(npy);
    if (s == IVL_OK) s = ivl_out_commit(&npy->out);
    ivl_npy_abandon(npy);
    return s;
}

void ivl_npy_abandon(ivl_npy_out *npy)
{
    ivl_out_abandon(&npy->out);
    *npy = (ivl_npy_out){ 0 };
}

/* --- reading -------------------------------------------------------------------------------------- */

typedef struct cursor { const char *p; } cursor;

static void blanks(cursor *c) { c->p += strspn(c->p, " \n"); }

static bool eat(cursor *c, const char *word)
{
    size_t n = strlen(word);
    blanks(c);
    if (strncmp(c->p, word, n)) return false;
    c->p += n;
    return true;
}

static bool number(cursor *c, int64_t *v)
{
    char *end;
    blanks(c);
    if (*c->p < '0' || *c->p > '9') return false;
    errno = 0;
    *v = strtoll(c->p, &end, 10);
    c->p = end;
    eat(c, "L"); /* as Python 2 wrote it */
    return !errno;
}

static ivl_status item(cursor *c, const char *name, ivl_npy *npy, unsigned *seen)
{
    if (eat(c, "'descr':")) {
        IVL_CHECK(eat(c, "'<f4'"), IVL_EFORMAT, "%s: numbers of type %.8s, not '<f4' (float32)", name, c->p);
        *seen |= 1;
    } else if (eat(c, "'fortran_order':")) {
        IVL_CHECK(eat(c, "False"), IVL_EFORMAT, "%s: stored by columns; store it by rows", name);
        *seen |= 2;
    } else if (eat(c, "'shape':")) {
        bool ok = eat(c, "(") && number(c, &npy->rows) && eat(c, ",") && number(c, &npy->cols);
        if (ok) eat(c, ",");
        IVL_CHECK(ok && eat(c, ")"), IVL_EFORMAT, "%s: no matrix: its shape has not two dimensions", name);
        *seen |= 4;
    } else {
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: its .npy header is wrong at '%.20s'", name,
                        c->p);
    }
    return IVL_OK;
}

static ivl_status parse_header(char *text, const char *name, ivl_npy *npy)
{
    cursor c = { text };
    unsigned seen = 0;
    bool end = false;
    IVL_CHECK(eat(&c, "{"), IVL_EFORMAT, "%s: its .npy header is no dictionary", name);
    while (!(end = eat(&c, "}"))) {
        IVL_TRY(item(&c, name, npy, &seen));
        if (!eat(&c, ",")) break;
    }
    end = end || eat(&c, "}");
    blanks(&c);
    IVL_CHECK(end && !*c.p && seen == 7, IVL_EFORMAT, "%s: its .npy header is incomplete", name);
    return IVL_OK;
}

/* Length of the header and where it starts. */
static ivl_status find_header(const unsigned char *d, size_t n, const char *name, size_t *start_p,
                              size_t *bytes_p)
{
    IVL_CHECK(n >= 12 && !memcmp(d, "\x93NUMPY", 6) && d[6] >= 1 && d[6] <= 3, IVL_EFORMAT,
              "%s: no .npy file", name);
    *start_p = d[6] == 1 ? 10 : 12;
    *bytes_p = (size_t)d[8] | (size_t)d[9] << 8;
    if (d[6] > 1) *bytes_p |= (size_t)d[10] << 16 | (size_t)d[11] << 24;
    IVL_CHECK(*bytes_p <= HEADER_LIMIT && *bytes_p <= n - *start_p, IVL_EFORMAT,
              "%s: its .npy header has %zu bytes; it is cut off or damaged", name, *bytes_p);
    return IVL_OK;
}

static ivl_status find_data(const char *data, size_t n, const char *name, ivl_npy *npy)
{
    size_t count = 0, bytes = 0;
    IVL_CHECK(!__builtin_mul_overflow((size_t)npy->rows, (size_t)npy->cols, &count) &&
                  !__builtin_mul_overflow(count, sizeof(float), &bytes) && bytes == n,
              IVL_EFORMAT, "%s: %" PRId64 " x %" PRId64 " numbers do not take the %zu bytes that follow",
              name, npy->rows, npy->cols, n);
    npy->x = (const float *)(const void *)data;
    if ((uintptr_t)data % sizeof(float) == 0) return IVL_OK;
    npy->copy = malloc(n + 1);
    IVL_CHECK(npy->copy, IVL_ENOMEM, "out of memory");
    memcpy(npy->copy, data, n);
    npy->x = npy->copy;
    return IVL_OK;
}

ivl_status ivl_npy_parse(const void *data, size_t n, const char *name, ivl_npy *npy_p)
{
    size_t start = 0, bytes = 0;
    ivl_npy npy = { 0 };
    IVL_TRY(find_header(data, n, name, &start, &bytes));
    char *text = strndup((const char *)data + start, bytes);
    IVL_CHECK(text, IVL_ENOMEM, "out of memory");
    ivl_status s = parse_header(text, name, &npy);
    free(text);
    if (s == IVL_OK) s = find_data((const char *)data + start + bytes, n - start - bytes, name, &npy);
    if (s == IVL_OK) *npy_p = npy;
    return s;
}

ivl_status ivl_npy_open(const char *path, ivl_npy *npy_p)
{
    ivl_map map = { 0 };
    ivl_npy npy = { 0 };
    IVL_TRY(ivl_map_open(path, &map));
    ivl_status s = ivl_npy_parse(map.data, map.bytes, path, &npy);
    npy.map = map;
    if (s == IVL_OK) *npy_p = npy;
    else ivl_map_close(&map);
    return s;
}

void ivl_npy_close(ivl_npy *npy)
{
    free(npy->copy);
    ivl_map_close(&npy->map);
    *npy = (ivl_npy){ 0 };
}
