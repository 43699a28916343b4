#include "train/classes.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/rng.h"

static char *class_name(const ivl_dataset *ds, int64_t i)
{
    const char *key = ivl_dataset_key(ds, i), *slash = strchr(key, '/');
    if (slash) return strndup(key, (size_t)(slash - key));
    ivl_sample rec = { 0 };
    char *name = NULL;
    if (ivl_dataset_read_text(ds, i, &rec) == IVL_OK && rec.group) name = strdup(rec.group);
    ivl_sample_free(&rec);
    return name;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int ivl_classes_find(const ivl_classes *c, const char *name)
{
    char **at = bsearch(&name, c->name, (size_t)c->n, sizeof *c->name, by_name);
    return at ? (int)(at - c->name) : -1;
}

/* names[n] of the records; c->name becomes the different ones, sorted. */
static ivl_status number_names(char **names, int64_t n, ivl_classes *c)
{
    char **sorted = malloc((size_t)n * sizeof *sorted + 1);
    IVL_CHECK(sorted, IVL_ENOMEM, "out of memory");
    memcpy(sorted, names, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    ivl_status s = IVL_OK;
    for (int64_t i = 0; i < n && s == IVL_OK; i++) {
        if (i && !strcmp(sorted[i], sorted[i - 1])) continue;
        c->name[c->n] = strdup(sorted[i]);
        if (c->name[c->n]) c->n++;
        else s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    for (int64_t i = 0; i < n && s == IVL_OK; i++) c->label[i] = ivl_classes_find(c, names[i]);
    free(sorted);
    return s;
}

ivl_status ivl_classes_read(const ivl_dataset *ds, ivl_classes *c)
{
    int64_t n = ivl_dataset_count(ds);
    char **names = calloc((size_t)n + 1, sizeof *names);
    *c = (ivl_classes){ calloc((size_t)n + 1, sizeof *c->name), 0, calloc((size_t)n + 1, sizeof *c->label), n };
    ivl_status s = names && c->name && c->label ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int64_t i = 0; i < n && s == IVL_OK; i++) {
        char where[512];
        if (!(names[i] = class_name(ds, i)))
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                         "%s: neither in a class folder nor of a group: which class is it?",
                         ivl_dataset_where(ds, i, where, sizeof where));
    }
    if (s == IVL_OK) s = number_names(names, n, c);
    for (int64_t i = 0; names && i < n; i++) free(names[i]);
    free(names);
    return s;
}

void ivl_classes_free(ivl_classes *c)
{
    for (int i = 0; c->name && i < c->n; i++) free(c->name[i]);
    free(c->name), free(c->label);
    *c = (ivl_classes){ 0 };
}

typedef struct drawn { int32_t label; double at; int64_t i; } drawn;

static int by_draw(const void *a, const void *b)
{
    const drawn *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

ivl_status ivl_hold_out(const int32_t *label, int64_t n, double share, uint64_t seed, bool *held)
{
    ivl_rng r = ivl_rng_make(seed, "hold out");
    drawn *d = malloc((size_t)(n + 1) * sizeof *d);
    IVL_CHECK(d, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) d[i] = (drawn){ label[i], ivl_rng_uniform(r, 0, 0, (uint64_t)i), i };
    qsort(d, (size_t)n, sizeof *d, by_draw);
    for (int64_t i = 0, m; i < n; i += m) {
        for (m = 1; i + m < n && d[i + m].label == d[i].label; m++) {}
        int64_t out = (int64_t)(share * (double)m + 0.5);
        if (out < 1 && m > 1) out = 1;
        if (out >= m) out = m - 1;
        for (int64_t k = 0; k < m; k++) held[d[i + k].i] = k < out;
    }
    free(d);
    return IVL_OK;
}
