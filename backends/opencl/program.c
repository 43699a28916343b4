/* From a kernel file's name to a kernel: text with its includes, compiled once per (file, defines), from the
 * cache on disk where possible. No fast-math: results are the same bits on every run of a device. */
#include "backends/opencl/opencl.h"

#include "runtime/embed.h"
#include "runtime/machine.h"
#include "runtime/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INCLUDES = 16 };

/* --- source ----------------------------------------------------------------------------------------- */

typedef struct text {
    FILE *f;
    const ivl_embedded_file *seen[MAX_INCLUDES];
    int n_seen;
} text;

/* The file's text with each #include "x" line replaced by x's text, once each. */
static ivl_status append(text *t, const char *name, const char *from)
{
    const ivl_embedded_file *file = ivl_source_find(name);
    IVL_CHECK(file, IVL_EINVAL, "no kernel file %s in this library (asked for by %s)", name, from);
    for (int i = 0; i < t->n_seen; i++)
        if (t->seen[i] == file) return IVL_OK;
    IVL_CHECK(t->n_seen < MAX_INCLUDES, IVL_EINVAL, "%s: more than %d files included", name, MAX_INCLUDES);
    t->seen[t->n_seen++] = file;
    fprintf(t->f, "#line 1 \"%s\"\n", name);
    int line = 1;
    for (const char *s = file->text; *s; line++) {
        size_t n = strcspn(s, "\n");
        char include[64];
        if (sscanf(s, "#include \"%63[^\"\n]\"", include) == 1) {
            IVL_TRY(append(t, include, name));
            fprintf(t->f, "#line %d \"%s\"\n", line + 1, name);
        } else {
            fprintf(t->f, "%.*s\n", (int)n, s);
        }
        s += n + (s[n] != 0);
    }
    return IVL_OK;
}

static ivl_status assemble(const char *file, char **source_p)
{
    char *source = NULL, name[64];
    size_t bytes = 0;
    text t = { .f = open_memstream(&source, &bytes) };
    IVL_CHECK(t.f, IVL_ENOMEM, "out of memory");
    snprintf(name, sizeof name, "%s.cl", file);
    ivl_status s = append(&t, name, "an implementation");
    bool bad = ferror(t.f);
    if (fclose(t.f) || bad) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK)
        *source_p = source;
    else
        free(source);
    return s;
}

static void program_key(ivl_cl_device *d, const char *source, const char *options, char key[65])
{
    char flags[8192];
    ivl_machine_flags(flags, sizeof flags);
    const char *part[] = {
        "libivl opencl 1", source, options, d->base.caps.name, d->base.caps.driver, flags
    };
    ivl_sha256 h;
    ivl_sha256_init(&h);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) ivl_sha256_add(&h, part[i], strlen(part[i]) + 1);
    uint8_t digest[32];
    ivl_sha256_end(&h, digest);
    ivl_sha256_text(digest, key);
}

/* --- compiling -------------------------------------------------------------------------------------- */

static cl_program from_binary(ivl_cl_device *d, const char *key, const char *options)
{
    size_t bytes = 0;
    unsigned char *data = ivl_cl_cache_load(key, &bytes);
    if (!data) return NULL;
    cl_int e, state;
    cl_program p =
        clCreateProgramWithBinary(d->context, 1, &d->id, &bytes, (const unsigned char **)&data, &state, &e);
    free(data);
    if (e != CL_SUCCESS) return NULL;
    if (state == CL_SUCCESS && clBuildProgram(p, 1, &d->id, options, NULL, NULL) == CL_SUCCESS) return p;
    clReleaseProgram(p);
    return NULL;
}

static void save_binary(cl_program p, const char *key)
{
    size_t bytes = 0;
    if (clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS || !bytes)
        return;
    unsigned char *data = malloc(bytes);
    if (data && clGetProgramInfo(p, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) == CL_SUCCESS)
        ivl_cl_cache_save(key, data, bytes);
    free(data);
}

/* The first lines of the compiler's log. */
static void build_log(ivl_cl_device *d, cl_program p, char *text_p, size_t n)
{
    size_t bytes = 0;
    text_p[0] = 0;
    clGetProgramBuildInfo(p, d->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    char *log = calloc(bytes + 1, 1);
    if (log && clGetProgramBuildInfo(p, d->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) == CL_SUCCESS) {
        char *end = log;
        for (int line = 0; line < 8 && *end; line++) end += strcspn(end, "\n"), end += *end == '\n';
        while (end > log && end[-1] == '\n') end--;
        *end = 0;
        snprintf(text_p, n, "%s", log);
    }
    free(log);
}

static ivl_status from_source(ivl_cl_device *d, const char *source, const char *options, const char *what,
                              cl_program *p_p)
{
    cl_int e;
    cl_program p = clCreateProgramWithSource(d->context, 1, &source, NULL, &e);
    CL_CHECK(e, "%s", what);
    e = clBuildProgram(p, 1, &d->id, options, NULL, NULL);
    if (e != CL_SUCCESS) {
        char log[640];
        build_log(d, p, log, sizeof log);
        clReleaseProgram(p);
        return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "%s does not compile (%s) with %s:\n%s", what,
                        ivl_cl_error(e), options, log);
    }
    *p_p = p;
    return IVL_OK;
}

/* The program of this source and options, compiled at most once per device. Called with the lock held. */
static ivl_status get_program(ivl_cl_device *d, const char *source, const char *options, const char *what,
                              cl_program *p_p)
{
    char key[65];
    program_key(d, source, options, key);
    for (ivl_cl_program *p = d->programs; p; p = p->next)
        if (!strcmp(p->key, key)) {
            *p_p = p->program;
            return IVL_OK;
        }
    ivl_cl_program *p = calloc(1, sizeof *p);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    memcpy(p->key, key, sizeof key);
    p->program = from_binary(d, key, options);
    if (!p->program) {
        ivl_status s = from_source(d, source, options, what, &p->program);
        if (s != IVL_OK) {
            free(p);
            return s;
        }
        save_binary(p->program, key);
    }
    p->next = d->programs, d->programs = p;
    *p_p = p->program;
    return IVL_OK;
}

/* --- kernels ---------------------------------------------------------------------------------------- */

static ivl_status make_kernel(ivl_cl_device *d, cl_program program, const char *entry, const char *what,
                              ivl_kernel **k_p)
{
    ivl_kernel *k = calloc(1, sizeof *k);
    IVL_CHECK(k, IVL_ENOMEM, "out of memory");
    cl_int e;
    snprintf(k->name, sizeof k->name, "%s", what);
    k->k = clCreateKernel(program, entry, &e);
    if (e == CL_SUCCESS &&
        (e = clGetKernelInfo(k->k, CL_KERNEL_NUM_ARGS, sizeof k->n_args, &k->n_args, NULL)) != CL_SUCCESS)
        clReleaseKernel(k->k);
    if (e != CL_SUCCESS) {
        free(k);
        return ivl_cl_fail(e, "%s: cannot make this kernel", what);
    }
    k->next = d->kernels, d->kernels = k;
    *k_p = k;
    return IVL_OK;
}

/* One cl_kernel per call: setting arguments is not thread-safe, so plans never share one. */
ivl_status ivl_cl_build(ivl_device *dev, const char *file, const char *entry, const char *defines,
                        ivl_kernel **k_p)
{
    ivl_cl_device *d = ivl_cl_of(dev);
    char options[640], what[96], *source = NULL;
    snprintf(what, sizeof what, "%s.cl: %s", file, entry);
    int n = snprintf(options, sizeof options, "%s %s", d->options, defines ? defines : "");
    IVL_CHECK(n < (int)sizeof options, IVL_EINVAL, "%s: defines are too long: %s", what, defines);
    IVL_TRY(assemble(file, &source));
    pthread_mutex_lock(&d->lock);
    cl_program program = NULL;
    ivl_status s = get_program(d, source, options, what, &program);
    if (s == IVL_OK) s = make_kernel(d, program, entry, what, k_p);
    pthread_mutex_unlock(&d->lock);
    free(source);
    return s;
}

void ivl_cl_programs_free(ivl_cl_device *d)
{
    for (ivl_kernel *k = d->kernels, *next; k; k = next) {
        next = k->next;
        clReleaseKernel(k->k);
        free(k);
    }
    for (ivl_cl_program *p = d->programs, *next; p; p = next) {
        next = p->next;
        clReleaseProgram(p->program);
        free(p);
    }
}
