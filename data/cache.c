#include "data/rows.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { LARGEST_SHARE = 64 }; /* a picture beyond 1/64 of the budget is not kept */

struct ivl_cache {
    _Atomic(ivl_cached *) *entry;
    int64_t n;
    size_t budget;
    _Atomic size_t used;
};

ivl_status ivl_cache_open(int64_t n, size_t budget, ivl_cache **c_p)
{
    *c_p = NULL;
    size_t table = (size_t)n * sizeof(_Atomic(ivl_cached *));
    if (budget <= table) return IVL_OK; /* not even the pointers fit */
    ivl_cache *c = calloc(1, sizeof *c);
    if (c) c->entry = calloc((size_t)n, sizeof *c->entry);
    if (!c || !c->entry) {
        free(c);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "no memory for a cache of %lld records",
                        (long long)n);
    }
    c->n = n, c->budget = budget;
    atomic_init(&c->used, table);
    *c_p = c;
    return IVL_OK;
}

void ivl_cached_destroy(ivl_cached *e)
{
    if (!e) return;
    ivl_image_free(&e->image);
    ivl_sample_free(&e->rec);
    free(e);
}

void ivl_cache_close(ivl_cache *c)
{
    if (!c) return;
    for (int64_t i = 0; i < c->n; i++) ivl_cached_destroy(atomic_load(&c->entry[i]));
    free(c->entry), free(c);
}

static ivl_status make(const ivl_dataset *ds, int64_t i, int min_side, ivl_cached **e_p)
{
    char where[1024];
    ivl_cached *e = calloc(1, sizeof *e);
    IVL_CHECK(e, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_dataset_read(ds, i, &e->rec);
    if (s == IVL_OK)
        s = ivl_image_decode(e->rec.image, e->rec.image_bytes, ivl_dataset_where(ds, i, where, sizeof where),
                             min_side, &e->image);
    free(e->rec.image);
    e->rec.image = NULL, e->rec.image_bytes = 0;
    if (s == IVL_OK) *e_p = e;
    else ivl_cached_destroy(e);
    return s;
}

/* Keeps e if there is room and nobody was faster. */
static bool keep(ivl_cache *c, int64_t i, ivl_cached *e)
{
    size_t bytes = sizeof *e + (size_t)e->image.width * (size_t)e->image.height * 3 + e->rec.memory_bytes;
    if (bytes > c->budget / LARGEST_SHARE) return false;
    if (atomic_fetch_add(&c->used, bytes) + bytes <= c->budget) {
        ivl_cached *none = NULL;
        if (atomic_compare_exchange_strong(&c->entry[i], &none, e)) return true;
    }
    atomic_fetch_sub(&c->used, bytes);
    return false;
}

ivl_status ivl_cache_get(ivl_cache *c, const ivl_dataset *ds, int64_t i, int min_side, ivl_cached **e_p,
                         bool *kept_p)
{
    ivl_cached *e = c ? atomic_load(&c->entry[i]) : NULL;
    *kept_p = e != NULL;
    if (!e) {
        IVL_TRY(make(ds, i, min_side, &e));
        *kept_p = c && keep(c, i, e);
    }
    *e_p = e;
    return IVL_OK;
}
