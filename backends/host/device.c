/* The host as a device: memory is memory, streams run at once, ops are the plain C references in double
 * precision. Slow, complete, and the truth that other devices are compared with. */
#include "backends/list.h"
#include "backends/host/host.h"
#include "runtime/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ivl_status host_count(int *n_p)
{
    *n_p = 1;
    return IVL_OK;
}

static ivl_status host_open(int index, ivl_device **dev_p)
{
    IVL_CHECK(index <= 0, IVL_EDEVICE, "there is one host device");
    ivl_device *d = calloc(1, sizeof *d);
    IVL_CHECK(d, IVL_ENOMEM, "out of memory");
    d->backend = &ivl_backend_host;
    snprintf(d->spec, sizeof d->spec, "host");
    ivl_caps *c = &d->caps;
    snprintf(c->name, sizeof c->name, "host (plain C reference, double precision)");
    snprintf(c->arch, sizeof c->arch, "host");
    snprintf(c->driver, sizeof c->driver, "libivl %s", IVL_VERSION_STRING);
    c->wave = c->max_group = c->units = c->vec_f32 = 1;
    c->mem_bytes = ivl_machine_memory();
    c->max_alloc = c->mem_bytes;
    c->align = 64;
    c->features = IVL_CAP_HOST_MEMORY | IVL_CAP_NO_KERNELS;
    *dev_p = d;
    return IVL_OK;
}

static void host_close(ivl_device *dev) { free(dev); }

static ivl_status host_alloc(ivl_device *dev, ivl_mem_kind kind, size_t bytes, ivl_buffer *buf_p)
{
    (void)kind;
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    IVL_CHECK(p, IVL_ENOMEM, "host: no memory for %zu bytes", bytes);
    *buf_p = (ivl_buffer){ dev, p, p, bytes };
    return IVL_OK;
}

/* A wrapped buffer is told from an owned one by handle and host being different. */
static ivl_status host_wrap(ivl_device *dev, void *host, size_t bytes, bool read_only, ivl_buffer *buf_p)
{
    (void)read_only;
    *buf_p = (ivl_buffer){ dev, dev, host, bytes };
    return IVL_OK;
}

static void host_release(ivl_buffer buf)
{
    if (buf.handle == buf.host) free(buf.host);
}

static ivl_status host_stream_open(ivl_device *dev, ivl_stream **s_p)
{
    ivl_stream *s = calloc(1, sizeof *s);
    IVL_CHECK(s, IVL_ENOMEM, "out of memory");
    s->dev = dev;
    *s_p = s;
    return IVL_OK;
}

static void host_stream_close(ivl_stream *s) { free(s); }

static ivl_status host_copy(ivl_stream *s, ivl_buffer dst, size_t dst_off, ivl_buffer src, size_t src_off,
                            size_t n)
{
    (void)s;
    memmove((char *)dst.host + dst_off, (char *)src.host + src_off, n);
    return IVL_OK;
}

static ivl_status host_read(ivl_stream *s, ivl_buffer src, size_t off, size_t bytes, void *host)
{
    (void)s;
    memcpy(host, (char *)src.host + off, bytes);
    return IVL_OK;
}

static ivl_status host_write(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, const void *host)
{
    (void)s;
    memcpy((char *)dst.host + off, host, bytes);
    return IVL_OK;
}

static ivl_status host_fill(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, uint32_t pattern)
{
    (void)s;
    for (size_t i = 0; i + 4 <= bytes; i += 4) memcpy((char *)dst.host + off + i, &pattern, 4);
    return IVL_OK;
}

/* Streams are synchronous, so an event has nothing to hold; any non-NULL pointer serves. */
static ivl_status host_record(ivl_stream *s, ivl_event **e_p)
{
    *e_p = (ivl_event *)(void *)s;
    return IVL_OK;
}

static ivl_status host_wait(ivl_stream *s, ivl_event *e) { return (void)s, (void)e, IVL_OK; }
static ivl_status host_event_sync(ivl_event *e) { return (void)e, IVL_OK; }
static void host_event_release(ivl_event *e) { (void)e; }
static ivl_status host_sync(ivl_stream *s) { return (void)s, IVL_OK; }

static ivl_status host_build(ivl_device *dev, const char *file, const char *entry, const char *defines,
                             ivl_kernel **k_p)
{
    (void)dev, (void)defines, (void)k_p;
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__, "the host device runs no kernels (%s:%s)", file,
                    entry);
}

static ivl_status host_launch(ivl_stream *s, ivl_kernel *k, ivl_grid g, const ivl_arg *args, int n_args)
{
    (void)s, (void)k, (void)g, (void)args, (void)n_args;
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__, "the host device runs no kernels");
}

const ivl_backend ivl_backend_host = {
    .name = "host",
    .count = host_count,
    .open = host_open,
    .close = host_close,
    .alloc = host_alloc,
    .wrap = host_wrap,
    .release = host_release,
    .stream_open = host_stream_open,
    .stream_close = host_stream_close,
    .copy = host_copy,
    .read = host_read,
    .write = host_write,
    .fill = host_fill,
    .record = host_record,
    .wait = host_wait,
    .event_sync = host_event_sync,
    .event_release = host_event_release,
    .sync = host_sync,
    .build = host_build,
    .launch = host_launch,
    .impls = ivl_host_impls,
    .n_impls = 1,
};
