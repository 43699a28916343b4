/* check:SPEC. Everything is passed on to the wrapped device, but new memory is filled with NaN, ends in a
 * band that nothing may touch, and ops run through ivl_check_impls. */
#include "backends/check/check.h"

#include "backends/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ivl_check_device *check_of(ivl_device *d) { return (ivl_check_device *)d; }
static ivl_stream *inner(ivl_stream *s) { return ((ivl_check_stream *)s)->inner; }

/* As the wrapped device knows the buffer. */
static ivl_buffer inner_buffer(ivl_check_device *d, ivl_buffer buf)
{
    buf.dev = d->inner;
    return buf;
}

static ivl_check_buffer **find_own(ivl_check_device *d, void *handle)
{
    ivl_check_buffer **p = &d->own;
    while (*p && (*p)->handle != handle) p = &(*p)->next;
    return p;
}

size_t ivl_check_room(ivl_check_device *d, ivl_buffer buf)
{
    pthread_mutex_lock(&d->lock);
    size_t room = buf.bytes + (*find_own(d, buf.handle) ? IVL_CHECK_BAND : 0);
    pthread_mutex_unlock(&d->lock);
    return room;
}

static ivl_status check_alloc(ivl_device *dev, ivl_mem_kind kind, size_t bytes, ivl_buffer *buf_p)
{
    ivl_check_device *d = check_of(dev);
    ivl_buffer buf;
    size_t all = (bytes + IVL_CHECK_BAND + 3) / 4 * 4;
    IVL_CHECK(bytes <= dev->caps.max_alloc, IVL_ENOMEM,
              "%s: a buffer of %zu bytes, where the device allows %zu", dev->spec, bytes,
              dev->caps.max_alloc);
    ivl_check_buffer *own = malloc(sizeof *own);
    IVL_CHECK(own, IVL_ENOMEM, "out of memory");
    ivl_status s = d->inner->backend->alloc(d->inner, kind, all, &buf);
    if (s != IVL_OK) {
        free(own);
        return s;
    }
    pthread_mutex_lock(&d->lock);
    own->handle = buf.handle, own->next = d->own, d->own = own;
    s = d->inner->backend->fill(d->stream, buf, 0, all, 0xffffffffu);
    if (s == IVL_OK) s = d->inner->backend->sync(d->stream);
    pthread_mutex_unlock(&d->lock);
    buf.dev = dev, buf.bytes = bytes;
    if (s != IVL_OK)
        dev->backend->release(buf);
    else
        *buf_p = buf;
    return s;
}

static ivl_status check_wrap(ivl_device *dev, void *host, size_t bytes, bool read_only, ivl_buffer *buf_p)
{
    ivl_buffer buf;
    IVL_TRY(check_of(dev)->inner->backend->wrap(check_of(dev)->inner, host, bytes, read_only, &buf));
    buf.dev = dev;
    *buf_p = buf;
    return IVL_OK;
}

static void check_release(ivl_buffer buf)
{
    ivl_check_device *d = check_of(buf.dev);
    pthread_mutex_lock(&d->lock);
    ivl_check_buffer **p = find_own(d, buf.handle), *own = *p;
    if (own) *p = own->next;
    pthread_mutex_unlock(&d->lock);
    free(own);
    d->inner->backend->release(inner_buffer(d, buf));
}

static ivl_status check_stream_open(ivl_device *dev, ivl_stream **s_p)
{
    ivl_check_stream *s = calloc(1, sizeof *s);
    IVL_CHECK(s, IVL_ENOMEM, "out of memory");
    s->base.dev = dev;
    ivl_status st = check_of(dev)->inner->backend->stream_open(check_of(dev)->inner, &s->inner);
    if (st != IVL_OK)
        free(s);
    else
        *s_p = &s->base;
    return st;
}

static void check_stream_close(ivl_stream *s)
{
    inner(s)->dev->backend->stream_close(inner(s));
    free(s);
}

static ivl_status check_copy(ivl_stream *s, ivl_buffer dst, size_t dst_off, ivl_buffer src, size_t src_off,
                             size_t bytes)
{
    return inner(s)->dev->backend->copy(inner(s), dst, dst_off, src, src_off, bytes);
}

static ivl_status check_read(ivl_stream *s, ivl_buffer src, size_t off, size_t bytes, void *host)
{
    return inner(s)->dev->backend->read(inner(s), src, off, bytes, host);
}

static ivl_status check_write(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, const void *host)
{
    return inner(s)->dev->backend->write(inner(s), dst, off, bytes, host);
}

static ivl_status check_fill(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, uint32_t pattern)
{
    return inner(s)->dev->backend->fill(inner(s), dst, off, bytes, pattern);
}

/* An event is the wrapped device's, with the way to it. */
typedef struct check_event {
    ivl_device *dev;
    ivl_event *e;
} check_event;

static ivl_status check_record(ivl_stream *s, ivl_event **e_p)
{
    check_event *e = malloc(sizeof *e);
    IVL_CHECK(e, IVL_ENOMEM, "out of memory");
    e->dev = inner(s)->dev;
    ivl_status st = e->dev->backend->record(inner(s), &e->e);
    if (st != IVL_OK)
        free(e);
    else
        *e_p = (ivl_event *)(void *)e;
    return st;
}

static check_event *event_of(ivl_event *e) { return (check_event *)(void *)e; }

static ivl_status check_wait(ivl_stream *s, ivl_event *e)
{
    return inner(s)->dev->backend->wait(inner(s), event_of(e)->e);
}

static ivl_status check_event_sync(ivl_event *e)
{
    return event_of(e)->dev->backend->event_sync(event_of(e)->e);
}

static void check_event_release(ivl_event *e)
{
    event_of(e)->dev->backend->event_release(event_of(e)->e);
    free(e);
}

static ivl_status check_sync(ivl_stream *s) { return inner(s)->dev->backend->sync(inner(s)); }

static ivl_status check_build(ivl_device *dev, const char *file, const char *entry, const char *defines,
                              ivl_kernel **k_p)
{
    return check_of(dev)->inner->backend->build(check_of(dev)->inner, file, entry, defines, k_p);
}

static ivl_status check_launch(ivl_stream *s, ivl_kernel *k, ivl_grid g, const ivl_arg *args, int n_args)
{
    return inner(s)->dev->backend->launch(inner(s), k, g, args, n_args);
}

static void check_close(ivl_device *dev)
{
    ivl_check_device *d = check_of(dev);
    if (d->stream) d->inner->backend->stream_close(d->stream);
    d->inner->backend->close(d->inner);
    for (ivl_check_buffer *b = d->own, *next; b; b = next) next = b->next, free(b);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* Reached by ivl_check_open only: a wrapper has no devices of its own to count. */
static ivl_status check_count(int *n_p)
{
    *n_p = 0;
    return IVL_OK;
}

static ivl_status check_open(int index, ivl_device **dev_p)
{
    (void)dev_p;
    return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "check:%d: name the device to check, as in check:opencl",
                    index);
}

static const ivl_backend backend = {
    .name = "check",
    .count = check_count,
    .open = check_open,
    .close = check_close,
    .alloc = check_alloc,
    .wrap = check_wrap,
    .release = check_release,
    .stream_open = check_stream_open,
    .stream_close = check_stream_close,
    .copy = check_copy,
    .read = check_read,
    .write = check_write,
    .fill = check_fill,
    .record = check_record,
    .wait = check_wait,
    .event_sync = check_event_sync,
    .event_release = check_event_release,
    .sync = check_sync,
    .build = check_build,
    .launch = check_launch,
    .impls = ivl_check_impls,
    .n_impls = 1,
};

ivl_status ivl_check_open(const char *spec, ivl_device **dev_p)
{
    IVL_CHECK(strncmp(spec, "check", 5), IVL_EINVAL, "check:%s: a device is checked once", spec);
    ivl_check_device *d = calloc(1, sizeof *d);
    IVL_CHECK(d, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_device_open(spec, &d->inner);
    if (s != IVL_OK) {
        free(d);
        return s;
    }
    pthread_mutex_init(&d->lock, NULL);
    d->base.backend = &backend;
    d->base.caps = d->inner->caps;
    d->base.caps.features |= IVL_CAP_CHECK;
    if (d->base.caps.max_alloc > 2 * IVL_CHECK_BAND) d->base.caps.max_alloc -= 2 * IVL_CHECK_BAND;
    snprintf(d->base.spec, sizeof d->base.spec, "check:%.25s", d->inner->spec);
    s = d->inner->backend->stream_open(d->inner, &d->stream);
    if (s != IVL_OK)
        check_close(&d->base);
    else
        *dev_p = &d->base;
    return s;
}
