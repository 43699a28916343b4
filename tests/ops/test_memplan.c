/* The memory plan: no two items alive together overlap, slabs and alignment hold, and reuse happens. */
#include "ops/memplan.h"
#include "runtime/rng.h"
#include "tests/suite.h"

#include <check.h>
#include <stdlib.h>

enum { N = 400, ALIGN = 64, GAP = 16 };

static void random_items(ivl_mem_item *it, int seed)
{
    ivl_rng r = ivl_rng_make((uint64_t)seed, "memplan");
    for (uint32_t i = 0; i < N; i++) {
        int first = (int)ivl_rng_below(r, i, 0, 0, 300);
        it[i] = (ivl_mem_item){ .bytes = ivl_rng_below(r, i, 1, 0, 5000), .first = first,
                                .last = first + (int)ivl_rng_below(r, i, 2, 0, 40) };
    }
}

static void check_layout(const ivl_mem_item *it, const ivl_mem_slabs *m, size_t limit)
{
    for (int i = 0; i < N; i++) {
        if (!it[i].bytes) continue;
        ck_assert_uint_eq(it[i].off % ALIGN, 0);
        ck_assert_int_lt(it[i].slab, m->n);
        ck_assert_uint_le(it[i].off + it[i].bytes + GAP, m->bytes[it[i].slab]);
        ck_assert_uint_le(m->bytes[it[i].slab], limit);
        for (int j = 0; j < i; j++) {
            bool alive = it[i].first <= it[j].last && it[j].first <= it[i].last;
            bool apart = it[i].slab != it[j].slab || it[i].off + it[i].bytes + GAP <= it[j].off ||
                         it[j].off + it[j].bytes + GAP <= it[i].off;
            ck_assert(!it[j].bytes || !alive || apart);
        }
    }
}

START_TEST(no_overlap)
{
    ivl_mem_item it[N];
    const size_t limit[] = { 1 << 30, 40000, 9000 };
    ivl_mem_slabs m;
    random_items(it, _i / 3);
    ck_assert_int_eq(ivl_memplan(it, N, ALIGN, GAP, limit[_i % 3], &m), IVL_OK);
    check_layout(it, &m, limit[_i % 3]);
}
END_TEST

START_TEST(memory_is_reused)
{
    ivl_mem_item it[100];
    ivl_mem_slabs m;
    for (int i = 0; i < 100; i++) it[i] = (ivl_mem_item){ .bytes = 1000, .first = i, .last = i + 1 };
    ck_assert_int_eq(ivl_memplan(it, 100, ALIGN, 0, 1 << 20, &m), IVL_OK);
    ck_assert_int_eq(m.n, 1);
    ck_assert_uint_le(m.bytes[0], 2 * 1024);
}
END_TEST

START_TEST(too_large_is_refused)
{
    ivl_mem_item it = { .bytes = 5000, .first = 0, .last = 0 };
    ivl_mem_slabs m;
    ck_assert_int_eq(ivl_memplan(&it, 1, ALIGN, 0, 4096, &m), IVL_ENOMEM);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("memplan");
    tcase_add_loop_test(t, no_overlap, 0, 12);
    tcase_add_test(t, memory_is_reused);
    tcase_add_test(t, too_large_is_refused);
    return run_suite("memplan", t);
}
