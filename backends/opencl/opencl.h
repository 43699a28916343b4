/* Inside of the OpenCL backend. OpenCL 1.2 is enough; the ICD loader finds the drivers. */
#ifndef IVL_BACKENDS_OPENCL_H
#define IVL_BACKENDS_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <pthread.h>

#include <ivl/ops.h>

#include "backends/list.h"

/* One device of one platform, found once per process. */
typedef struct ivl_cl_place {
    cl_platform_id platform;
    cl_device_id id;
    int p, d; /* numbers as clinfo counts them */
    bool gpu, pocl;
} ivl_cl_place;

typedef struct ivl_cl_program {
    char key[65]; /* of source and options */
    cl_program program;
    struct ivl_cl_program *next;
} ivl_cl_program;

struct ivl_kernel {
    cl_kernel k;
    cl_uint n_args;
    char name[96]; /* "rms_norm.cl: rms_norm_fwd" */
    ivl_kernel *next;
};

typedef struct ivl_cl_device {
    ivl_device base;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue; /* for mapping only */
    bool in_place;          /* buffers over host memory are that memory, checked at open */
    char options[128];      /* build options of every kernel */
    pthread_mutex_t lock;   /* of the two lists */
    ivl_cl_program *programs;
    ivl_kernel *kernels;
} ivl_cl_device;

static inline ivl_cl_device *ivl_cl_of(ivl_device *d) { return (ivl_cl_device *)d; }

/* platform.c */
int ivl_cl_places(const ivl_cl_place **places_p);
/* Fills the caps that the driver knows. */
void ivl_cl_caps(const ivl_cl_place *p, ivl_caps *c);
/* Build options of every kernel on this device. */
void ivl_cl_options(const ivl_cl_place *p, char *options, size_t n);

/* program.c */
ivl_status ivl_cl_build(ivl_device *dev, const char *file, const char *entry, const char *defines,
                        ivl_kernel **k_p);
void ivl_cl_programs_free(ivl_cl_device *d);

/* impls.c: what OpenCL devices do better than the portable kernels. */
enum { IVL_CL_IMPLS = 9 };
extern const ivl_impl ivl_cl_impls[IVL_CL_IMPLS];
/* gemm.c: matrix products in packed panels, on CPUs; linear_few.c: linear for few rows; attention_one.c: of one
 * query; all on CPUs. */
#define IMPL(name)                                                                                           \
    bool ivl_cl_##name##_fits(const ivl_caps *c, const ivl_node *n);                                         \
    ivl_status ivl_cl_##name##_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p);  \
    ivl_status ivl_cl_##name##_run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer tmp, int64_t off); \
    extern const ivl_tune_space ivl_cl_##name##_space;
IMPL(packed)
IMPL(few)
IMPL(one)
IMPL(linears)
#undef IMPL
int ivl_cl_vector_width(const ivl_caps *c); /* f32 lanes of these kernels: 4, 8 or 16 */
size_t ivl_cl_packed_scratch(const ivl_caps *c, const ivl_node *n);
size_t ivl_cl_linears_scratch(const ivl_caps *c, const ivl_node *n);

/* cache.c: compiled programs on disk. A key is 64 hexadecimal digits; load returns NULL unless an intact
 * entry is there. Nothing here fails: a cache that cannot be used is only slow. */
void *ivl_cl_cache_load(const char *key, size_t *bytes_p);
void ivl_cl_cache_save(const char *key, const void *data, size_t bytes);

/* error.c */
const char *ivl_cl_error(cl_int e);
/* Records "message: CL_NAME" with the status that e means. */
ivl_status ivl_cl_fail(cl_int e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define CL_CHECK(e, ...)                                                                                     \
    do {                                                                                                     \
        cl_int e_ = (e);                                                                                     \
        if (e_ != CL_SUCCESS) return ivl_cl_fail(e_, __VA_ARGS__);                                           \
    } while (0)

#endif
