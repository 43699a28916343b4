/* What became of each tensor when weights were loaded or converted. */
#include "model/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ivl_note_name(ivl_note_kind kind)
{
    static const char *const name[] = {
        "missing", "wrong shape", "extra", "unused", "resized", "not finite", "stored otherwise"
    };
    return name[kind];
}

int ivl_load_count(const ivl_load_report *r, ivl_note_kind kind)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) n += r->note[i].kind == kind;
    return n;
}

void ivl_load_report_free(ivl_load_report *r)
{
    for (int i = 0; i < r->n; i++) free(r->note[i].name), free(r->note[i].detail);
    free(r->note);
    *r = (ivl_load_report){ 0 };
}

ivl_status ivl_load_note(ivl_load_report *r, ivl_note_kind kind, const char *name, const char *detail)
{
    if ((r->n & (r->n - 1)) == 0) { /* room for a power of two */
        ivl_note *grown = realloc(r->note, (r->n ? 2 * (size_t)r->n : 1) * sizeof *grown);
        IVL_CHECK(grown, IVL_ENOMEM, "out of memory");
        r->note = grown;
    }
    ivl_note *k = &r->note[r->n++];
    *k = (ivl_note){ kind, strdup(name), strdup(detail) };
    IVL_CHECK(k->name && k->detail, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

/* "missing: a, b, c and 12 more": the first names of a kind. */
ivl_status ivl_load_refuse(const char *dir, const ivl_load_report *r, ivl_note_kind kind, const char *advice)
{
    char text[600];
    size_t at = 0;
    int shown = 0, n = ivl_load_count(r, kind);
    for (int i = 0; i < r->n && shown < 4; i++)
        if (r->note[i].kind == kind)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%.80s%s%.50s", shown++ ? ", " : "",
                                   r->note[i].name, *r->note[i].detail ? " " : "", r->note[i].detail);
    if (n > shown) snprintf(text + at, sizeof text - at, " and %d more", n - shown);
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s: %s%s", dir, ivl_note_name(kind), text, advice);
}

const char *ivl_shape_text(int rank, const int64_t *dim, char *text, size_t n)
{
    size_t at = (size_t)snprintf(text, n, "[");
    for (int i = 0; i < rank && at < n; i++)
        at += (size_t)snprintf(text + at, n - at, i ? ",%lld" : "%lld", (long long)dim[i]);
    if (at < n) snprintf(text + at, n - at, "]");
    return text;
}
