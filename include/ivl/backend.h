/* What a backend author implements: devices, buffers, streams, kernels. A backend knows no neural
 * network; beyond this table it may offer implementations of ops that beat the portable ones. */
#ifndef IVL_BACKEND_H
#define IVL_BACKEND_H

#include <ivl/ivl.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct ivl_stream ivl_stream;
typedef struct ivl_event  ivl_event;
typedef struct ivl_kernel ivl_kernel;
typedef struct ivl_impl   ivl_impl;

/* Records a message and returns s; the first function to know an error calls it. */
ivl_status ivl_fail(ivl_status s, const char *file, int line, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;
#define IVL_TRY(call)                                                                              \
    do {                                                                                           \
        ivl_status s_ = (call);                                                                    \
        if (s_ != IVL_OK) return s_;                                                               \
    } while (0)
#define IVL_CHECK(ok, code, ...)                                                                   \
    do {                                                                                           \
        if (!(ok)) return ivl_fail((code), __FILE__, __LINE__, __VA_ARGS__);                       \
    } while (0)

typedef enum ivl_mem_kind {
    IVL_MEM_DEVICE, /* only kernels and copies reach it */
    IVL_MEM_PINNED  /* `host` points to it as well, and copies from it are asynchronous */
} ivl_mem_kind;

/* A plain value, copied freely; whoever allocated or wrapped it releases it once. */
typedef struct ivl_buffer {
    ivl_device *dev;
    void       *handle; /* cl_mem, CUdeviceptr, or a host pointer */
    void       *host;   /* non-NULL where the host may read and write it directly */
    size_t      bytes;
} ivl_buffer;

enum {
    IVL_CAP_GPU = 1,        /* many small work-items per group pay; else it is a CPU */
    IVL_CAP_HOST_MEMORY = 2, /* device memory is host memory: buffers may be wrapped, copies avoided */
    IVL_CAP_LATE_COMPILE = 4, /* first launch of each local size compiles again (PoCL) */
    IVL_CAP_NO_KERNELS = 8,  /* build/launch are not offered: host */
    IVL_CAP_CHECK = 16       /* ops are checked: plans leave guard bands between tensors */
};

typedef struct ivl_caps {
    char     name[96];      /* device name as its driver gives it */
    char     arch[32];      /* key of tuning data: "cpu-avx512", "sm_80", vendor word */
    char     driver[96];    /* platform and driver version: part of the kernel cache key */
    int      wave;          /* work-items that run in lock step; 1 on CPUs */
    int      max_group;     /* work-items in a group, at most */
    int      units;         /* compute units, cores */
    int      vec_f32;       /* native vector width in f32 lanes; 1 when unknown */
    size_t   local_bytes, mem_bytes, max_alloc;
    size_t   align;         /* of buffer starts, in bytes */
    uint64_t features;      /* IVL_CAP_* */
} ivl_caps;

typedef struct ivl_grid { uint32_t groups[3], local; } ivl_grid;   /* local: items along axis 0 */
typedef struct ivl_arg  { const void *p; size_t bytes; } ivl_arg;  /* p points at the value; for a
                                                                      buffer: at its handle */

/* Every slot is filled; one that a backend cannot serve returns IVL_EUNSUPPORTED. */
typedef struct ivl_backend {
    const char *name;
    ivl_status (*count)(int *n_p);               /* devices present; 0 is no error */
    ivl_status (*open)(int index, ivl_device **dev_p);
    void       (*close)(ivl_device *dev);
    ivl_status (*alloc)(ivl_device *dev, ivl_mem_kind kind, size_t bytes, ivl_buffer *buf_p);
    /* Use host memory (a mapped file, say) in place; it must outlive the buffer. */
    ivl_status (*wrap)(ivl_device *dev, void *host, size_t bytes, bool read_only, ivl_buffer *buf_p);
    void       (*release)(ivl_buffer buf);
    ivl_status (*stream_open)(ivl_device *dev, ivl_stream **s_p);
    void       (*stream_close)(ivl_stream *s);
    /* Enqueues. Host memory of a copy is a pinned buffer; see ivl_read/ivl_write for plain memory. */
    ivl_status (*copy)(ivl_stream *s, ivl_buffer dst, size_t dst_off, ivl_buffer src, size_t src_off,
                       size_t bytes);
    ivl_status (*read)(ivl_stream *s, ivl_buffer src, size_t off, size_t bytes, void *host);  /* waits */
    ivl_status (*write)(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, const void *host);
    ivl_status (*fill)(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, uint32_t pattern);
    ivl_status (*record)(ivl_stream *s, ivl_event **e_p);
    ivl_status (*wait)(ivl_stream *s, ivl_event *e);   /* this stream waits; the host does not */
    ivl_status (*event_sync)(ivl_event *e);            /* the host waits */
    void       (*event_release)(ivl_event *e);
    ivl_status (*sync)(ivl_stream *s);
    /* Entry `entry` of the embedded kernel file ops/kernels/<file>.cl compiled with `defines`
     * ("-DT_F32 -DWG_SIZE=1"). The device caches programs and owns the kernel. */
    ivl_status (*build)(ivl_device *dev, const char *file, const char *entry, const char *defines,
                        ivl_kernel **k_p);
    ivl_status (*launch)(ivl_stream *s, ivl_kernel *k, ivl_grid g, const ivl_arg *args, int n_args);
    const ivl_impl *impls;                             /* what this backend does better than portable */
    int             n_impls;
} ivl_backend;

/* A backend's device and stream start with these, so the facade can dispatch. */
struct ivl_device { const ivl_backend *backend; char spec[32]; ivl_caps caps; };
struct ivl_stream { ivl_device *dev; };

const ivl_caps *ivl_device_caps(const ivl_device *dev);

/* The facade: the same calls through the table, counted (see ivl_counters). */
ivl_status ivl_alloc(ivl_device *dev, ivl_mem_kind kind, size_t bytes, ivl_buffer *buf_p);
ivl_status ivl_wrap(ivl_device *dev, void *host, size_t bytes, bool read_only, ivl_buffer *buf_p);
void       ivl_release(ivl_buffer buf);                /* a zeroed buffer is accepted */
ivl_status ivl_stream_open(ivl_device *dev, ivl_stream **s_p);
void       ivl_stream_close(ivl_stream *s);
ivl_status ivl_copy(ivl_stream *s, ivl_buffer dst, size_t dst_off, ivl_buffer src, size_t src_off,
                    size_t bytes);
ivl_status ivl_read(ivl_stream *s, ivl_buffer src, size_t off, size_t bytes, void *host);
ivl_status ivl_write(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, const void *host);
ivl_status ivl_fill(ivl_stream *s, ivl_buffer dst, size_t off, size_t bytes, uint32_t pattern);
ivl_status ivl_event_record(ivl_stream *s, ivl_event **e_p);
ivl_status ivl_event_wait(ivl_stream *s, ivl_event *e);
ivl_status ivl_event_sync(ivl_device *dev, ivl_event *e);
void       ivl_event_release(ivl_device *dev, ivl_event *e);
ivl_status ivl_sync(ivl_stream *s);
ivl_status ivl_build(ivl_device *dev, const char *file, const char *entry, const char *defines,
                     ivl_kernel **k_p);
ivl_status ivl_launch(ivl_stream *s, ivl_kernel *k, ivl_grid g, const ivl_arg *args, int n_args);

/* What this thread asked of devices since it began; a test asserts a step's budget with it. */
typedef struct ivl_counters { uint64_t allocs, copies, reads, writes, syncs, launches, builds; } ivl_counters;
ivl_counters ivl_counters_get(void);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
