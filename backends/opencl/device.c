/* The OpenCL backend's table: devices, buffers, streams, launches.
 *
 * On a CPU the device's memory is host memory: buffers are made over aligned memory of our own
 * (CL_MEM_USE_HOST_PTR), so `host` is valid for all of them and nothing is copied. Whether a driver really
 * works in place is tried once at open; where it does not (some copy to and fro), only pinned buffers have a
 * host pointer: driver memory, mapped once for its whole life, and copied explicitly. */
#include "backends/opencl/opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

static ivl_cl_device *cl_of(ivl_stream *s) { return ivl_cl_of(s->dev); }

typedef struct cl_stream {
    ivl_stream base;
    cl_command_queue queue;
} cl_stream;
static cl_command_queue queue_of(ivl_stream *s) { return ((cl_stream *)s)->queue; }

/* --- buffers ---------------------------------------------------------------------------------------- */

static void CL_CALLBACK free_memory(cl_mem m, void *p)
{
    (void)m;
    free(p);
}

/* A buffer over memory of our own; the driver frees it when the last command that uses it is done. */
static ivl_status alloc_in_place(ivl_cl_device *d, size_t bytes, ivl_buffer *buf_p)
{
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : PAGE;
    void *p = aligned_alloc(align, (bytes + align) / align * align);
    IVL_CHECK(p, IVL_ENOMEM, "%s: no memory for %zu bytes", d->base.spec, bytes);
    if (align == HUGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE);
    cl_int e;
    cl_mem m = clCreateBuffer(d->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes ? bytes : 4, p, &e);
    if (e == CL_SUCCESS && (e = clSetMemObjectDestructorCallback(m, free_memory, p)) != CL_SUCCESS)
        clReleaseMemObject(m);
    if (e != CL_SUCCESS) {
        free(p);
        return ivl_cl_fail(e, "%s: no buffer of %zu bytes", d->base.spec, bytes);
    }
    *buf_p = (ivl_buffer){ &d->base, m, p, bytes };
    return IVL_OK;
}

static ivl_status alloc_pinned(ivl_cl_device *d, size_t bytes, ivl_buffer *buf_p)
{
    cl_int e;
    size_t n = bytes ? bytes : 4;
    cl_mem m = clCreateBuffer(d->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, n, NULL, &e);
    CL_CHECK(e, "%s: no pinned buffer of %zu bytes", d->base.spec, bytes);
    void *p = clEnqueueMapBuffer(d->queue, m, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, n, 0, NULL, NULL, &e);
    if (e != CL_SUCCESS) {
        clReleaseMemObject(m);
        return ivl_cl_fail(e, "%s: cannot map a pinned buffer of %zu bytes", d->base.spec, bytes);
    }
    *buf_p = (ivl_buffer){ &d->base, m, p, bytes };
    return IVL_OK;
}

static ivl_status cl_alloc(ivl_device *dev, ivl_mem_kind kind, size_t bytes, ivl_buffer *buf_p)
{
    ivl_cl_device *d = ivl_cl_of(dev);
    IVL_CHECK(bytes <= dev->caps.max_alloc, IVL_ENOMEM,
              "%s: a buffer of %zu bytes, where the device allows %zu", dev->spec, bytes,
              dev->caps.max_alloc);
    if (d->in_place) return alloc_in_place(d, bytes, buf_p);
    if (kind == IVL_MEM_PINNED) return alloc_pinned(d, bytes, buf_p);
    cl_int e;
    cl_mem m = clCreateBuffer(d->context, CL_MEM_READ_WRITE, bytes ? bytes : 4, NULL, &e);
    CL_CHECK(e, "%s: no buffer of %zu bytes", dev->spec, bytes);
    *buf_p = (ivl_buffer){ dev, m, NULL, bytes };
    return IVL_OK;
}

static ivl_status cl_wrap(ivl_device *dev, void *host, size_t bytes, bool read_only, ivl_buffer *buf_p)
{
    ivl_cl_device *d = ivl_cl_of(dev);
    IVL_CHECK(d->in_place, IVL_EUNSUPPORTED, "%s: its memory is not the host's; copy instead of wrapping",
              dev->spec);
    IVL_CHECK((uintptr_t)host % dev->caps.align == 0, IVL_EINVAL,
              "%s: wrapped memory must start at a multiple of %zu bytes: take a page-aligned window",
              dev->spec, dev->caps.align);
    IVL_CHECK(bytes <= dev->caps.max_alloc, IVL_ENOMEM, "%s: %zu bytes to wrap, where the device allows %zu",
              dev->spec, bytes, dev->caps.max_alloc);
    IVL_CHECK(host && bytes, IVL_EINVAL, "%s: nothing to wrap", dev->spec);
    cl_mem_flags flags = CL_MEM_USE_HOST_PTR | (read_only ? CL_MEM_READ_ONLY : CL_MEM_READ_WRITE);
    cl_int e;
    cl_mem m = clCreateBuffer(d->context, flags, bytes, host, &e);
    CL_CHECK(e, "%s: cannot wrap %zu bytes", dev->spec, bytes);
    *buf_p = (ivl_buffer){ dev, m, host, bytes };
    return IVL_OK;
}

static void cl_release(ivl_buffer buf)
{
    ivl_cl_device *d = ivl_cl_of(buf.dev);
    if (buf.host && !d->in_place) clEnqueueUnmapMemObject(d->queue, buf.handle, buf.host, 0, NULL, NULL);
    clReleaseMemObject(buf.handle);
}

/* --- streams and events ----------------------------------------------------------------------------- */

static ivl_status cl_stream_open(ivl_device *dev, ivl_stream **s_p)
{
    ivl_cl_device *d = ivl_cl_of(dev);
    cl_stream *s = calloc(1, sizeof *s);
    IVL_CHECK(s, IVL_ENOMEM, "out of memory");
    cl_int e;
    s->base.dev = dev;
    s->queue = clCreateCommandQueue(d->context, d->id, 0, &e);
    if (e != CL_SUCCESS) {
        free(s);
        return ivl_cl_fail(e, "%s: cannot make a queue", dev->spec);
    }
    *s_p = &s->base;
    return IVL_OK;
}

static void cl_stream_close(ivl_stream *s)
{
    clFinish(queue_of(s));
    clReleaseCommandQueue(queue_of(s));
    free(s);
}

static ivl_status cl_record(ivl_stream *s, ivl_event **e_p)
{
    cl_event e;
    CL_CHECK(clEnqueueMarkerWithWaitList(queue_of(s), 0, NULL, &e), "%s: cannot record an event",
             s->dev->spec);
    clFlush(queue_of(s)); /* another queue or the host may wait for it */
    *e_p = (ivl_event *)e;
    return IVL_OK;
}

static ivl_status cl_wait(ivl_stream *s, ivl_event *e)
{
    cl_event ev = (cl_event)e;
    CL_CHECK(clEnqueueBarrierWithWaitList(queue_of(s), 1, &ev, NULL), "%s: cannot wait for an event",
             s->dev->spec);
    return IVL_OK;
}

static ivl_status cl_event_sync(ivl_event *e)
{
    cl_event ev = (cl_event)e;
    CL_CHECK(clWaitForEvents(1, &ev), "opencl: waiting for an event");
    return IVL_OK;
}

static void cl_event_release(ivl_event *e) { clReleaseEvent((cl_event)e); }

static ivl_status cl_sync(ivl_stream *s)
{
    CL_CHECK(clFinish(queue_of(s)), "%s: waiting for the device", s->dev->spec);
    return IVL_OK;
}

/* --- copies ----------------------------------------------------------------------------------------- */

static ivl_status check_range(const ivl_stream *s, const char *what, ivl_buffer b, size_t off, size_t bytes)
{
    IVL_CHECK(off <= b.bytes && bytes <= b.bytes - off, IVL_EINVAL,
              "%s: %s of bytes %zu..%zu in a buffer of %zu", s->dev->spec, what, off, off + bytes, b.bytes);
    return IVL_OK;
}

static ivl_status cl_copy(ivl_stream *s, ivl_buffer dst, size_t dst_off, ivl_buffer src, size_t src_off,
                          size_t bytes)
{
    IVL_TRY(check_range(s, "copy", dst, dst_off, bytes));
    IVL_TRY(check_range(s, "copy", src, src_off, bytes));
    if (!bytes) return IVL_OK;
    cl_command_queue q = queue_of(s);
    cl_int e;
    if (cl_of(s)->in_place || (!src.host && !dst.host)) {
        e = clEnqueueCopyBuffer(q, src.handle, dst.handle, src_off, dst_off, bytes, 0, NULL, NULL);
    } else if (!dst.host) { /* from pinned memory, which stays mapped */
        e = clEnqueueWriteBuffer(q, dst.handle, CL_FALSE, dst_off, bytes, (char *)src.host + src_off, 0, NULL,
                                 NULL);
    } else if (!src.host) {
        e = clEnqueueReadBuffer(q, src.handle, CL_FALSE, src_off, bytes, (char *)dst.host + dst_off, 0, NULL,
                                NULL);
    } else {
        e = clFinish(q);
        if (e == CL_SUCCESS) memmove((char *)dst.host + dst_off, (char *)src.host + src_off, bytes);
    }
    CL_CHECK(e, "%s: copy of %zu bytes", s->dev->spec, bytes);
    return IVL_OK;
}

static ivl_status cl_read(ivl_stream *s, ivl_buffer src, size_t off, size_t bytes, void *host)
{
    IVL_TRY(check_range(s, "read", src, off, bytes));
    if (src.host) { /* the host sees it as soon as the stream is done */
        IVL_TRY(cl_sync(s));
        memcpy(host, (char *)src.host + off, bytes);
        return IVL_OK;
    }
    if (!bytes) return cl_sync(s);
    CL_CHECK(clEnqueueReadBuffer(queue_of(s), src.handle, CL_TRUE, off, bytes, host, 0, NULL, NULL),
             "%s: read of %zu bytes", s->dev->spec, bytes);
    return IVL_OK;
}

static ivl_status cl_write(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, const void *host)
{
    IVL_TRY(check_range(s, "write", dst, off, bytes));
    if (dst.host) {
        IVL_TRY(cl_sync(s));
        memcpy((char *)dst.host + off, host, bytes);
        return IVL_OK;
    }
    if (!bytes) return IVL_OK;
    CL_CHECK(clEnqueueWriteBuffer(queue_of(s), dst.handle, CL_TRUE, off, bytes, host, 0, NULL, NULL),
             "%s: write of %zu bytes", s->dev->spec, bytes);
    return IVL_OK;
}

static ivl_status cl_fill(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, uint32_t pattern)
{
    IVL_TRY(check_range(s, "fill", dst, off, bytes));
    IVL_CHECK(off % 4 == 0 && bytes % 4 == 0, IVL_EINVAL,
              "%s: fill of bytes %zu..%zu, which are not whole words", s->dev->spec, off, off + bytes);
    if (!bytes) return IVL_OK;
    if (dst.host && !cl_of(s)->in_place) {
        IVL_TRY(cl_sync(s));
        for (size_t i = 0; i < bytes; i += 4) memcpy((char *)dst.host + off + i, &pattern, 4);
        return IVL_OK;
    }
    CL_CHECK(clEnqueueFillBuffer(queue_of(s), dst.handle, &pattern, 4, off, bytes, 0, NULL, NULL),
             "%s: fill of %zu bytes", s->dev->spec, bytes);
    return IVL_OK;
}

/* --- launches --------------------------------------------------------------------------------------- */

static ivl_status cl_launch(ivl_stream *s, ivl_kernel *k, ivl_grid g, const ivl_arg *args, int n_args)
{
    IVL_CHECK(n_args == (int)k->n_args, IVL_EINVAL, "%s takes %u arguments, %d were given", k->name,
              k->n_args, n_args);
    for (int i = 0; i < n_args; i++)
        CL_CHECK(clSetKernelArg(k->k, (cl_uint)i, args[i].bytes, args[i].p), "%s: argument %d of %zu bytes",
                 k->name, i, args[i].bytes);
    size_t local[3] = { g.local, 1, 1 };
    size_t global[3] = { (size_t)g.groups[0] * g.local, g.groups[1], g.groups[2] };
    CL_CHECK(clEnqueueNDRangeKernel(queue_of(s), k->k, 3, NULL, global, local, 0, NULL, NULL),
             "%s: launch of %u x %u x %u groups of %u on %s", k->name, g.groups[0], g.groups[1], g.groups[2],
             g.local, s->dev->spec);
    return IVL_OK;
}

/* --- devices ---------------------------------------------------------------------------------------- */

static ivl_status cl_count(int *n_p)
{
    const ivl_cl_place *p;
    *n_p = ivl_cl_places(&p);
    return IVL_OK;
}

static void cl_close(ivl_device *dev)
{
    ivl_cl_device *d = ivl_cl_of(dev);
    ivl_cl_programs_free(d);
    if (d->queue) clFinish(d->queue), clReleaseCommandQueue(d->queue);
    if (d->context) clReleaseContext(d->context);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* Does the driver work on our memory, or on a copy of it? A fill by the device must show here, and a word
 * written here must show on the device. */
static bool works_in_place(ivl_cl_device *d)
{
    uint32_t ones = 0x01010101, seen = 0;
    ivl_buffer b;
    if (alloc_in_place(d, 2 * PAGE, &b) != IVL_OK) return false;
    uint32_t *w = b.host;
    memset(w, 0, b.bytes);
    bool ok = clEnqueueFillBuffer(d->queue, b.handle, &ones, 4, 0, b.bytes, 0, NULL, NULL) == CL_SUCCESS &&
              clFinish(d->queue) == CL_SUCCESS && w[0] == ones && w[2 * PAGE / 4 - 1] == ones;
    w[5] = 42;
    ok = ok && clEnqueueReadBuffer(d->queue, b.handle, CL_TRUE, 20, 4, &seen, 0, NULL, NULL) == CL_SUCCESS &&
         seen == 42;
    clReleaseMemObject(b.handle);
    return ok;
}

static ivl_status open_place(const ivl_cl_place *p, ivl_cl_device *d)
{
    cl_int e;
    cl_context_properties props[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)p->platform, 0 };
    d->id = p->id;
    d->context = clCreateContext(props, 1, &p->id, NULL, NULL, &e);
    CL_CHECK(e, "%s: cannot open %s", d->base.spec, d->base.caps.name);
    d->queue = clCreateCommandQueue(d->context, d->id, 0, &e);
    CL_CHECK(e, "%s: cannot make a queue", d->base.spec);
    if (!(d->base.caps.features & IVL_CAP_HOST_MEMORY)) return IVL_OK;
    const char *copy = getenv("IVL_OPENCL_COPY"); /* lets a CPU stand in for a GPU with memory of its own */
    d->in_place = !(copy && *copy) && works_in_place(d);
    if (!d->in_place) d->base.caps.features &= ~(uint64_t)IVL_CAP_HOST_MEMORY;
    return IVL_OK;
}

/* A GPU, else PoCL, else any. */
static int best(const ivl_cl_place *p, int n)
{
    for (int i = 0; i < n; i++)
        if (p[i].gpu) return i;
    for (int i = 0; i < n; i++)
        if (p[i].pocl) return i;
    return 0;
}

static ivl_status cl_open(int index, ivl_device **dev_p)
{
    const ivl_cl_place *p;
    int n = ivl_cl_places(&p);
    if (index < 0) index = best(p, n);
    IVL_CHECK(index < n, IVL_EDEVICE,
              "no OpenCL device %d among %d: install a driver (pocl-opencl-icd runs on any CPU)", index, n);
    ivl_cl_device *d = calloc(1, sizeof *d);
    IVL_CHECK(d, IVL_ENOMEM, "out of memory");
    pthread_mutex_init(&d->lock, NULL);
    d->base.backend = &ivl_backend_opencl;
    snprintf(d->base.spec, sizeof d->base.spec, "opencl:%d.%d", p[index].p, p[index].d);
    ivl_cl_caps(&p[index], &d->base.caps);
    ivl_cl_options(&p[index], d->options, sizeof d->options);
    ivl_status s = open_place(&p[index], d);
    if (s != IVL_OK) {
        cl_close(&d->base);
        return s;
    }
    *dev_p = &d->base;
    return IVL_OK;
}

const ivl_backend ivl_backend_opencl = {
    .name = "opencl",
    .count = cl_count,
    .open = cl_open,
    .close = cl_close,
    .alloc = cl_alloc,
    .wrap = cl_wrap,
    .release = cl_release,
    .stream_open = cl_stream_open,
    .stream_close = cl_stream_close,
    .copy = cl_copy,
    .read = cl_read,
    .write = cl_write,
    .fill = cl_fill,
    .record = cl_record,
    .wait = cl_wait,
    .event_sync = cl_event_sync,
    .event_release = cl_event_release,
    .sync = cl_sync,
    .build = ivl_cl_build,
    .launch = cl_launch,
    .impls = ivl_cl_impls,
    .n_impls = IVL_CL_IMPLS,
};
