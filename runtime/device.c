/* The facade over backend tables: opening by spec, dispatch, counting. */
#include "backends/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local ivl_counters counters;

ivl_counters ivl_counters_get(void) { return counters; }

const ivl_caps *ivl_device_caps(const ivl_device *dev) { return &dev->caps; }
const char *ivl_device_name(const ivl_device *dev) { return dev->caps.name; }

void ivl_device_close(ivl_device *dev)
{
    if (dev) dev->backend->close(dev);
}

ivl_status ivl_alloc(ivl_device *dev, ivl_mem_kind kind, size_t bytes, ivl_buffer *buf_p)
{
    counters.allocs++;
    return dev->backend->alloc(dev, kind, bytes, buf_p);
}

ivl_status ivl_wrap(ivl_device *dev, void *host, size_t bytes, bool read_only, ivl_buffer *buf_p)
{
    return dev->backend->wrap(dev, host, bytes, read_only, buf_p);
}

void ivl_release(ivl_buffer buf)
{
    if (buf.dev && buf.handle) buf.dev->backend->release(buf);
}

ivl_status ivl_stream_open(ivl_device *dev, ivl_stream **s_p) { return dev->backend->stream_open(dev, s_p); }

void ivl_stream_close(ivl_stream *s)
{
    if (s) s->dev->backend->stream_close(s);
}

ivl_status ivl_copy(ivl_stream *s, ivl_buffer dst, size_t dst_off, ivl_buffer src, size_t src_off, size_t bytes)
{
    counters.copies++;
    return s->dev->backend->copy(s, dst, dst_off, src, src_off, bytes);
}

ivl_status ivl_read(ivl_stream *s, ivl_buffer src, size_t off, size_t bytes, void *host)
{
    counters.reads++;
    return s->dev->backend->read(s, src, off, bytes, host);
}

ivl_status ivl_write(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, const void *host)
{
    counters.writes++;
    return s->dev->backend->write(s, dst, off, bytes, host);
}

ivl_status ivl_fill(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, uint32_t pattern)
{
    return s->dev->backend->fill(s, dst, off, bytes, pattern);
}

ivl_status ivl_event_record(ivl_stream *s, ivl_event **e_p) { return s->dev->backend->record(s, e_p); }
ivl_status ivl_event_wait(ivl_stream *s, ivl_event *e) { return s->dev->backend->wait(s, e); }

ivl_status ivl_event_sync(ivl_device *dev, ivl_event *e)
{
    counters.syncs++;
    return dev->backend->event_sync(e);
}

void ivl_event_release(ivl_device *dev, ivl_event *e)
{
    if (e) dev->backend->event_release(e);
}

ivl_status ivl_sync(ivl_stream *s)
{
    counters.syncs++;
    return s->dev->backend->sync(s);
}

ivl_status ivl_build(ivl_device *dev, const char *file, const char *entry, const char *defines, ivl_kernel **k_p)
{
    counters.builds++;
    return dev->backend->build(dev, file, entry, defines, k_p);
}

ivl_status ivl_launch(ivl_stream *s, ivl_kernel *k, ivl_grid g, const ivl_arg *args, int n_args)
{
    counters.launches++;
    return s->dev->backend->launch(s, k, g, args, n_args);
}
