/* Which OpenCL devices there are. A machine often lists platforms that are empty or broken (Mesa without a
 * GPU): they are skipped, but counted, so numbers agree with clinfo. */
#include "backends/opencl/opencl.h"

#include "runtime/machine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 64 };

static ivl_cl_place places[MAX_DEVICES];
static int n_places, n_platforms;
static char platform_name[MAX_PLATFORMS][64];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void device_text(cl_device_id id, cl_device_info what, char *text, size_t n)
{
    char buf[1024] = "";
    if (clGetDeviceInfo(id, what, sizeof buf - 1, buf, NULL) != CL_SUCCESS) buf[0] = 0;
    snprintf(text, n, "%s", buf + strspn(buf, " "));
}

static uint64_t device_number(cl_device_id id, cl_device_info what, size_t bytes)
{
    union {
        cl_uint u;
        cl_ulong l;
        size_t s[16];
    } v = { .s = { 0 } };
    if (clGetDeviceInfo(id, what, sizeof v, &v, NULL) != CL_SUCCESS) return 0;
    return bytes == sizeof(cl_uint) ? v.u : v.l;
}
#define DEVICE_UINT(id, what) ((cl_uint)device_number(id, what, sizeof(cl_uint)))
#define DEVICE_LONG(id, what) device_number(id, what, sizeof(cl_ulong))

static void scan_platform(cl_platform_id platform, int p)
{
    cl_device_id id[MAX_DEVICES];
    cl_uint n = 0;
    char name[128] = "";
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
    snprintf(platform_name[p], sizeof platform_name[p], "%.63s", name);
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, id, &n) != CL_SUCCESS) return;
    for (cl_uint d = 0; d < n && d < MAX_DEVICES && n_places < MAX_DEVICES; d++) {
        if (!DEVICE_UINT(id[d], CL_DEVICE_AVAILABLE) || !DEVICE_UINT(id[d], CL_DEVICE_COMPILER_AVAILABLE))
            continue;
        places[n_places++] = (ivl_cl_place){
            .platform = platform,
            .id = id[d],
            .p = p,
            .d = (int)d,
            .gpu = DEVICE_LONG(id[d], CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU,
            .pocl = !strcmp(name, "Portable Computing Language"),
        };
    }
}

static void scan(void)
{
    cl_platform_id platform[MAX_PLATFORMS];
    cl_uint n = 0;
    if (clGetPlatformIDs(MAX_PLATFORMS, platform, &n) != CL_SUCCESS) return;
    n_platforms = n < MAX_PLATFORMS ? (int)n : MAX_PLATFORMS;
    for (int p = 0; p < n_platforms; p++) scan_platform(platform[p], p);
}

int ivl_cl_places(const ivl_cl_place **places_p)
{
    pthread_once(&once, scan);
    *places_p = places;
    return n_places;
}

void ivl_opencl_place(int index, int *platform_p, int *device_p)
{
    pthread_once(&once, scan);
    *platform_p = places[index].p, *device_p = places[index].d;
}

int ivl_opencl_platforms(void)
{
    pthread_once(&once, scan);
    return n_platforms;
}

int ivl_opencl_platform(int platform, char *name, size_t n)
{
    int devices = 0;
    pthread_once(&once, scan);
    for (int i = 0; i < n_places; i++) devices += places[i].p == platform;
    snprintf(name, n, "%s", platform_name[platform]);
    return devices;
}

/* "nvidia-gpu": the vendor's first word. */
static void gpu_arch(cl_device_id id, char *arch, size_t n)
{
    char vendor[64];
    device_text(id, CL_DEVICE_VENDOR, vendor, sizeof vendor);
    vendor[strcspn(vendor, " ,(")] = 0;
    for (char *s = vendor; *s; s++) *s = (char)tolower((unsigned char)*s);
    if (!strcmp(vendor, "advanced")) strcpy(vendor, "amd");
    snprintf(arch, n, "%.20s-gpu", vendor[0] ? vendor : "some");
}

/* Work-items in lock step, from the vendors' own queries. */
static int gpu_wave(cl_device_id id)
{
    enum { WARP_SIZE_NV = 0x4003, WAVEFRONT_WIDTH_AMD = 0x4043 };
    int w = (int)DEVICE_UINT(id, WARP_SIZE_NV);
    if (w <= 0) w = (int)DEVICE_UINT(id, WAVEFRONT_WIDTH_AMD);
    return w > 0 ? w : 16;
}

static int max_group(cl_device_id id)
{
    size_t items[16] = { 0 };
    uint64_t group = DEVICE_LONG(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    if (clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof items, items, NULL) == CL_SUCCESS &&
        items[0] && items[0] < group)
        group = items[0];
    return group > 65536 ? 65536 : (int)group;
}

static void names(const ivl_cl_place *p, ivl_caps *c)
{
    char device[64], driver[32], platform[256] = "", version[256] = "";
    device_text(p->id, CL_DEVICE_NAME, device, sizeof device);
    device_text(p->id, CL_DRIVER_VERSION, driver, sizeof driver);
    clGetPlatformInfo(p->platform, CL_PLATFORM_NAME, sizeof platform - 1, platform, NULL);
    clGetPlatformInfo(p->platform, CL_PLATFORM_VERSION, sizeof version - 1, version, NULL);
    snprintf(c->name, sizeof c->name, "%.55s (%.20s %.12s)", device, p->pocl ? "PoCL" : platform, driver);
    snprintf(c->driver, sizeof c->driver, "%.36s, %.20s, %.32s", platform, driver, version);
}

/* Mesa's driver for CPUs runs work-items in lock step, the lanes of its vectors, and ends the loops of a work-item
 * without a word after 65535 turns in all: kernels written for many short work-items fit it, those for one do not. */
static bool is_llvmpipe(const ivl_caps *c) { return !strncmp(c->name, "llvmpipe", 8); }

void ivl_cl_caps(const ivl_cl_place *p, ivl_caps *c)
{
    cl_device_id id = p->id;
    bool cpu = DEVICE_LONG(id, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CPU;
    names(p, c);
    if (is_llvmpipe(c))
        snprintf(c->arch, sizeof c->arch, "llvmpipe");
    else if (cpu)
        snprintf(c->arch, sizeof c->arch, "%s", ivl_machine_arch());
    else
        gpu_arch(id, c->arch, sizeof c->arch);
    c->wave = is_llvmpipe(c) ? 8 : cpu ? 1 : gpu_wave(id);
    c->max_group = max_group(id);
    c->units = (int)DEVICE_UINT(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    c->vec_f32 = (int)DEVICE_UINT(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    if (c->vec_f32 < 1) c->vec_f32 = 1;
    c->local_bytes = (size_t)DEVICE_LONG(id, CL_DEVICE_LOCAL_MEM_SIZE);
    c->mem_bytes = (size_t)DEVICE_LONG(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    c->max_alloc = (size_t)DEVICE_LONG(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    c->align = DEVICE_UINT(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    if (c->align < 64) c->align = 64;
    if (p->gpu || is_llvmpipe(c)) c->features |= IVL_CAP_GPU;
    if (p->pocl) c->features |= IVL_CAP_LATE_COMPILE;
    if (cpu || DEVICE_UINT(id, CL_DEVICE_HOST_UNIFIED_MEMORY)) c->features |= IVL_CAP_HOST_MEMORY;
    if (c->features & IVL_CAP_HOST_MEMORY) c->mem_bytes = ivl_machine_memory();
}

/* What drivers need beyond the standard options. */
static const struct {
    const char *platform, *options;
} quirks[] = {
    /* 21.10: optimised code uses llvm.usub.sat, which it cannot run ("Undefined external function") */
    { "Oclgrind", " -cl-opt-disable" },
};

void ivl_cl_options(const ivl_cl_place *p, char *options, size_t n)
{
    bool exact = DEVICE_LONG(p->id, CL_DEVICE_SINGLE_FP_CONFIG) & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    const char *quirk = "";
    for (size_t i = 0; i < sizeof quirks / sizeof *quirks; i++)
        if (!strcmp(platform_name[p->p], quirks[i].platform)) quirk = quirks[i].options;
    snprintf(options, n, "-cl-std=CL1.2%s%s",
             p->gpu && exact ? " -cl-fp32-correctly-rounded-divide-sqrt" : "", quirk);
}
