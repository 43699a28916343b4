#include "train/tfevents.h"

#include <errno.h>
#include <string.h>

uint32_t ivl_crc32c(const void *data, size_t n)
{
    uint32_t c = ~0u;
    for (const unsigned char *p = data; n--; p++) {
        c ^= *p;
        for (int i = 0; i < 8; i++) c = c >> 1 ^ (0x82f63b78u & (0u - (c & 1)));
    }
    return ~c;
}

/* A growing message; too long a one sets `full`. */
typedef struct message { unsigned char b[8192]; size_t n; bool full; } message;

static void put(message *m, const void *p, size_t n)
{
    if (m->n + n > sizeof m->b) m->full = true;
    else memcpy(m->b + m->n, p, n), m->n += n;
}

static void put_varint(message *m, uint64_t v)
{
    do {
        unsigned char byte = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        put(m, &byte, 1);
        v >>= 7;
    } while (v);
}

static void put_double(message *m, int field, double v)
{
    put_varint(m, (uint64_t)(field << 3 | 1));
    put(m, &v, 8);
}

static void put_bytes(message *m, int field, const void *p, size_t n)
{
    put_varint(m, (uint64_t)(field << 3 | 2));
    put_varint(m, n);
    put(m, p, n);
}

static uint32_t masked_crc(const void *p, size_t n)
{
    uint32_t c = ivl_crc32c(p, n);
    return (c >> 15 | c << 17) + 0xa282ead8u;
}

static ivl_status write_record(FILE *f, const char *path, const message *m)
{
    IVL_CHECK(!m->full, IVL_EINVAL, "an event of more than %zu bytes", sizeof m->b);
    uint64_t n = m->n;
    uint32_t head = masked_crc(&n, 8), body = masked_crc(m->b, m->n);
    bool ok = fwrite(&n, 8, 1, f) == 1 && fwrite(&head, 4, 1, f) == 1 && fwrite(m->b, 1, m->n, f) == m->n &&
              fwrite(&body, 4, 1, f) == 1 && fflush(f) == 0;
    IVL_CHECK(ok, IVL_EIO, "%s: cannot write: %s", path, strerror(errno));
    return IVL_OK;
}

ivl_status ivl_tfevents_begin(FILE *f, const char *path, double wall_time)
{
    static const char version[] = "brain.Event:2";
    message m = { .n = 0 };
    put_double(&m, 1, wall_time);
    put_bytes(&m, 3, version, sizeof version - 1);
    return write_record(f, path, &m);
}

ivl_status ivl_tfevents_scalars(FILE *f, const char *path, double wall_time, int64_t step, const ivl_metric *metric,
                                int n)
{
    message summary = { .n = 0 }, event = { .n = 0 };
    for (int i = 0; i < n; i++) {
        message value = { .n = 0 };
        float v = (float)metric[i].value;
        put_bytes(&value, 1, metric[i].name, strlen(metric[i].name));
        put_varint(&value, 2 << 3 | 5);
        put(&value, &v, 4);
        put_bytes(&summary, 1, value.b, value.n);
    }
    put_double(&event, 1, wall_time);
    put_varint(&event, 2 << 3);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.b, summary.n);
    event.full |= summary.full;
    return write_record(f, path, &event);
}
