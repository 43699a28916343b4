/* Buffers, copies, fills, wrapped memory, events: what every backend promises. */
#include <pthread.h>
#include <sys/mman.h>

#include "tests/runtime/device.h"

static unsigned char *pattern(size_t n, unsigned seed)
{
    unsigned char *p = malloc(n);
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)((i * 2654435761u + seed) >> 13);
    return p;
}

START_TEST(test_round_trip)
{
    enum { N = 100003 };
    unsigned char *a = pattern(N, 1), *b = malloc(N);
    ivl_buffer buf;
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, N, &buf));
    ck_assert(buf.bytes == N && buf.dev);
    ok(ivl_write(stream, buf, 0, N, a));
    ok(ivl_write(stream, buf, 77, 5, "hello"));
    ok(ivl_read(stream, buf, 0, N, b));
    ck_assert(!memcmp(a, b, 77) && !memcmp(b + 77, "hello", 5) && !memcmp(a + 82, b + 82, N - 82));
    ok(ivl_read(stream, buf, N - 3, 3, b));
    ck_assert(!memcmp(a + N - 3, b, 3));
    ivl_release(buf);
    free(a), free(b);
}
END_TEST

START_TEST(test_pinned_is_seen)
{
    enum { N = 1 << 16 };
    unsigned char *a = pattern(N, 2), *b = malloc(N);
    ivl_buffer pin, buf, back;
    ok(ivl_alloc(dev, IVL_MEM_PINNED, N, &pin));
    ok(ivl_alloc(dev, IVL_MEM_PINNED, N, &back));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, N, &buf));
    ck_assert_ptr_nonnull(pin.host);
    memcpy(pin.host, a, N);
    ok(ivl_copy(stream, buf, 0, pin, 0, N));
    ok(ivl_read(stream, buf, 0, N, b));
    ck_assert(!memcmp(a, b, N));
    ok(ivl_copy(stream, back, 16, buf, 4, 1000));
    ok(ivl_sync(stream));
    ck_assert(!memcmp((char *)back.host + 16, a + 4, 1000));
    ok(ivl_copy(stream, back, 0, pin, 8, 64)); /* pinned to pinned */
    ok(ivl_sync(stream));
    ck_assert(!memcmp(back.host, a + 8, 64));
    ivl_release(pin), ivl_release(buf), ivl_release(back);
    free(a), free(b);
}
END_TEST

START_TEST(test_fill)
{
    uint32_t w[64];
    ivl_buffer buf;
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, sizeof w, &buf));
    ok(ivl_fill(stream, buf, 0, sizeof w, 0));
    ok(ivl_fill(stream, buf, 8, 40, 0xdeadbeef));
    ok(ivl_fill(stream, buf, 0, 0, 1));
    ok(ivl_read(stream, buf, 0, sizeof w, w));
    for (int i = 0; i < 64; i++) ck_assert_uint_eq(w[i], i >= 2 && i < 12 ? 0xdeadbeef : 0);
    ivl_release(buf);
}
END_TEST

START_TEST(test_edges)
{
    ivl_buffer buf, none = { 0 };
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, 0, &buf));
    ck_assert_uint_eq(buf.bytes, 0);
    ivl_release(buf);
    ivl_release(none);
    ivl_stream_close(NULL);
    ivl_device_close(NULL);
    ivl_event_release(dev, NULL);
    ck_assert(ivl_alloc(dev, IVL_MEM_DEVICE, (size_t)1 << 60, &buf) == IVL_ENOMEM);
    ck_assert(strstr(ivl_last_error(), "1152921504606846976"));
}
END_TEST

START_TEST(test_out_of_range)
{
    if (strstr(dev->spec, "host")) return; /* plain memory: not checked */
    char c[16] = { 0 };
    ivl_buffer buf;
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, 16, &buf));
    ck_assert(ivl_read(stream, buf, 8, 9, c) == IVL_EINVAL);
    ck_assert(strstr(ivl_last_error(), "8..17 in a buffer of 16"));
    ck_assert(ivl_write(stream, buf, 17, 0, c) == IVL_EINVAL);
    ck_assert(ivl_copy(stream, buf, 0, buf, 0, 17) == IVL_EINVAL);
    ck_assert(ivl_fill(stream, buf, 2, 4, 0) == IVL_EINVAL);
    ivl_release(buf);
}
END_TEST

/* A read-only mapping of a file, used in place from a page-aligned window. */
START_TEST(test_wrap)
{
    if (!(ivl_device_caps(dev)->features & IVL_CAP_HOST_MEMORY)) return;
    enum { N = 3 * 4096 };
    FILE *f = tmpfile();
    unsigned char *a = pattern(N, 3), *b = malloc(N);
    ck_assert(f && fwrite(a, N, 1, f) == 1 && !fflush(f));
    char *map = mmap(NULL, N, PROT_READ, MAP_PRIVATE, fileno(f), 0);
    ck_assert(map != MAP_FAILED);
    ivl_buffer w, buf;
    ok(ivl_wrap(dev, map + 4096, N - 4096, true, &w));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, N, &buf));
    ok(ivl_copy(stream, buf, 0, w, 5, 5000));
    ok(ivl_read(stream, buf, 0, 5000, b));
    ck_assert(!memcmp(a + 4096 + 5, b, 5000));
    ivl_release(w), ivl_release(buf);
    munmap(map, N), fclose(f);
    free(a), free(b);
}
END_TEST

START_TEST(test_wrap_writes)
{
    if (!(ivl_device_caps(dev)->features & IVL_CAP_HOST_MEMORY)) return;
    uint32_t *p = aligned_alloc(4096, 8192);
    ivl_buffer w;
    memset(p, 1, 8192);
    ok(ivl_wrap(dev, p, 8192, false, &w));
    ok(ivl_fill(stream, w, 4096, 4, 7));
    ok(ivl_sync(stream));
    ck_assert_uint_eq(p[1024], 7);
    ck_assert_uint_eq(p[1025], 0x01010101);
    ivl_release(w); /* ours stays */
    ck_assert_uint_eq(p[1024], 7);
    free(p);
}
END_TEST

START_TEST(test_events)
{
    enum { N = 1 << 20 };
    ivl_stream *other;
    ivl_event *e, *late;
    ivl_buffer a, b;
    uint32_t w[2];
    ok(ivl_stream_open(dev, &other));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, N, &a));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, N, &b));
    for (uint32_t i = 1; i <= 20; i++) { /* the second stream must see each fill of the first */
        ok(ivl_fill(stream, a, 0, N, i));
        ok(ivl_event_record(stream, &e));
        ok(ivl_event_wait(other, e));
        ok(ivl_copy(other, b, 0, a, 0, N));
        ok(ivl_event_record(other, &late));
        ok(ivl_event_wait(stream, late)); /* and the first must not overtake the copy */
        ivl_event_release(dev, e);
        ok(ivl_event_sync(dev, late));
        ivl_event_release(dev, late);
        ok(ivl_read(other, b, N - 8, 8, w));
        ck_assert(w[0] == i && w[1] == i);
    }
    ivl_release(a), ivl_release(b);
    ivl_stream_close(other);
}
END_TEST

/* Released while commands that use them are under way. */
START_TEST(test_release_early)
{
    for (int i = 0; i < 50; i++) {
        ivl_buffer a, b;
        ok(ivl_alloc(dev, IVL_MEM_DEVICE, 1 << 18, &a));
        ok(ivl_alloc(dev, IVL_MEM_DEVICE, 1 << 18, &b));
        ok(ivl_fill(stream, a, 0, 1 << 18, (uint32_t)i));
        ok(ivl_copy(stream, b, 0, a, 0, 1 << 18));
        if (strcmp(dev->backend->name, "host"))
            ivl_release(a), ivl_release(b);
        else
            ok(ivl_sync(stream)), ivl_release(a), ivl_release(b);
    }
    ok(ivl_sync(stream));
}
END_TEST

static void *work(void *arg)
{
    uint32_t n = (uint32_t)(uintptr_t)arg, w[256];
    ivl_stream *s = NULL;
    bool good = ivl_stream_open(dev, &s) == IVL_OK;
    for (uint32_t i = 0; good && i < 100; i++) {
        ivl_buffer b = { 0 };
        good = ivl_alloc(dev, IVL_MEM_DEVICE, sizeof w, &b) == IVL_OK &&
               ivl_fill(s, b, 0, sizeof w, n << 16 | i) == IVL_OK && ivl_read(s, b, 0, sizeof w, w) == IVL_OK;
        for (int j = 0; j < 256; j++) good = good && w[j] == (n << 16 | i);
        ivl_release(b);
    }
    ivl_stream_close(s);
    return good ? NULL : (void *)"";
}

START_TEST(test_threads_share_a_device)
{
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++) ck_assert(!pthread_create(&t[i], NULL, work, (void *)i));
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

START_TEST(test_counters)
{
    ivl_counters a = ivl_counters_get(), b;
    ivl_buffer buf;
    char c[8] = "";
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, 8, &buf));
    ok(ivl_write(stream, buf, 0, 8, c));
    ok(ivl_read(stream, buf, 0, 8, c));
    ok(ivl_sync(stream));
    b = ivl_counters_get();
    ck_assert(b.allocs == a.allocs + 1 && b.writes == a.writes + 1 && b.reads == a.reads + 1 &&
              b.syncs == a.syncs + 1);
    ivl_release(buf);
}
END_TEST

START_TEST(test_unknown_devices)
{
    static const struct {
        const char *spec;
        ivl_status s;
    } bad[] = {
        { "gpu", IVL_EINVAL },       { "host:3", IVL_EDEVICE },   { "opencl:9.9", IVL_EDEVICE },
        { "opencl:x", IVL_EDEVICE }, { "check:gpu", IVL_EINVAL },
    };
    ivl_device *d = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ivl_status s = ivl_device_open(bad[i].spec, &d);
        ck_assert_msg(s != IVL_OK && !d && *ivl_last_error(), "%s opened", bad[i].spec);
        if (strncmp(bad[i].spec, "opencl", 6))
            ck_assert_msg(s == bad[i].s, "%s: %s", bad[i].spec, ivl_status_name(s));
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("buffers");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, open_device, close_device);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_pinned_is_seen);
    tcase_add_test(t, test_fill);
    tcase_add_test(t, test_edges);
    tcase_add_test(t, test_out_of_range);
    tcase_add_test(t, test_wrap);
    tcase_add_test(t, test_wrap_writes);
    tcase_add_test(t, test_events);
    tcase_add_test(t, test_release_early);
    tcase_add_test(t, test_threads_share_a_device);
    tcase_add_test(t, test_counters);
    tcase_add_test(t, test_unknown_devices);
    return run_suite("buffers", t);
}
