#include "ops/memplan.h"

#include <stdlib.h>

static int larger_first(const void *a, const void *b)
{
    const ivl_mem_item *x = *(ivl_mem_item *const *)a, *y = *(ivl_mem_item *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x > y) - (x < y);
}

static bool together(const ivl_mem_item *a, const ivl_mem_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Placed items, sorted by (slab, off), so that one pass finds the first gap. */
typedef struct placed { ivl_mem_item **item; int n; } placed;

static void insert(placed *p, ivl_mem_item *it)
{
    int i = p->n++;
    for (; i > 0; i--) {
        const ivl_mem_item *q = p->item[i - 1];
        if (q->slab < it->slab || (q->slab == it->slab && q->off <= it->off)) break;
        p->item[i] = p->item[i - 1];
    }
    p->item[i] = it;
}

static void place(const placed *p, ivl_mem_item *it, size_t need, size_t gap, size_t align, size_t limit)
{
    int slab = 0;
    size_t at = 0;
    for (int i = 0; i < p->n; i++) {
        const ivl_mem_item *q = p->item[i];
        if (q->slab > slab) {
            if (at + need <= limit) break;
            slab = q->slab, at = 0;
        }
        if (!together(it, q)) continue;
        if (at + need <= q->off) break;
        size_t end = (q->off + q->bytes + gap + align - 1) / align * align;
        if (end > at) at = end;
    }
    if (at + need > limit) slab++, at = 0;
    it->slab = slab, it->off = at;
}

ivl_status ivl_memplan(ivl_mem_item *item, int n, size_t align, size_t gap, size_t limit, ivl_mem_slabs *slabs_p)
{
    ivl_mem_slabs slabs = { 0 };
    ivl_mem_item **order = malloc(2 * (size_t)(n ? n : 1) * sizeof *order);
    IVL_CHECK(order, IVL_ENOMEM, "out of memory while planning");
    placed p = { order + n, 0 };
    int m = 0;
    for (int i = 0; i < n; i++)
        if (item[i].bytes) order[m++] = &item[i];
    qsort(order, (size_t)m, sizeof *order, larger_first);
    ivl_status s = IVL_OK;
    for (int i = 0; i < m && s == IVL_OK; i++) {
        ivl_mem_item *it = order[i];
        if (it->bytes + gap > limit) {
            s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__,
                         "one tensor of %zu bytes is more than the device allocates at once (%zu)", it->bytes,
                         limit);
            break;
        }
        place(&p, it, it->bytes + gap, gap, align, limit);
        if (it->slab >= IVL_MAX_SLABS) {
            s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "the plan needs more than %d slabs of %zu bytes",
                         IVL_MAX_SLABS, limit);
            break;
        }
        insert(&p, it);
        if (it->slab >= slabs.n) slabs.n = it->slab + 1;
        size_t end = it->off + it->bytes + gap;
        if (end > slabs.bytes[it->slab]) slabs.bytes[it->slab] = end;
    }
    free(order);
    if (s == IVL_OK) *slabs_p = slabs;
    return s;
}
