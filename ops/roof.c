#include "ops/roof.h"

#include <stdio.h>

#include "ops/op.h"
#include "runtime/clock.h"

enum { SUMS = 12, TRIES = 10, GPU_GROUPS = 32 /* for each unit */, GPU_ITEMS = 256 };
static const double LAUNCH = 0.04; /* seconds: long beside the cost of a launch */

/* One kernel that does `rounds` of something; work: operations or bytes of one round. */
typedef struct probe {
    ivl_stream *s;
    ivl_kernel *k;
    ivl_buffer  x, y;
    ivl_grid    g;
    int         lanes;
    double      work;
} probe;

static ivl_status launch(const probe *p, int rounds, double *seconds_p)
{
    float a = 0.5f, b = 1;
    int64_t n = (int64_t)(p->x.bytes / sizeof(float) / (size_t)p->lanes); /* vectors */
    ivl_arg fma[] = { { &p->y.handle, sizeof p->y.handle }, { &a, sizeof a }, { &b, sizeof b },
                      { &rounds, sizeof rounds } };
    ivl_arg memory[] = { { &p->x.handle, sizeof p->x.handle }, { &p->y.handle, sizeof p->y.handle }, { &n, sizeof n },
                         { &rounds, sizeof rounds } };
    double start = ivl_seconds();
    IVL_TRY(ivl_launch(p->s, p->k, p->g, p->x.handle ? memory : fma, 4));
    IVL_TRY(ivl_sync(p->s));
    *seconds_p = ivl_seconds() - start;
    return IVL_OK;
}

static ivl_status measure(const probe *p, double *rate_p)
{
    double seconds = 0, best = 0;
    int rounds = 1;
    IVL_TRY(launch(p, rounds, &seconds)); /* compiles late */
    for (; rounds < 1 << 28; rounds *= 4) {
        IVL_TRY(launch(p, rounds, &seconds));
        if (seconds > LAUNCH / 4) break;
    }
    for (int i = 0; i < TRIES; i++) {
        IVL_TRY(launch(p, rounds, &seconds));
        if (p->work * rounds / seconds > best) best = p->work * rounds / seconds;
    }
    *rate_p = best;
    return IVL_OK;
}

/* Grid, lanes and kernel; false for a device that has none. */
static bool able(ivl_device *dev, probe *p)
{
    const ivl_caps *c = ivl_device_caps(dev);
    if (c->features & IVL_CAP_NO_KERNELS) return false;
    bool gpu = (c->features & IVL_CAP_GPU) != 0;
    p->lanes = gpu ? 1 : c->vec_f32 > 16 ? 16 : c->vec_f32;
    p->g = (ivl_grid){ { (uint32_t)(c->units * (gpu ? GPU_GROUPS : 1)), 1, 1 }, gpu ? GPU_ITEMS : 1 };
    return true;
}

static int64_t items(const probe *p) { return (int64_t)p->g.groups[0] * p->g.local; }

static ivl_status build(ivl_device *dev, probe *p, const char *entry)
{
    char defines[64];
    snprintf(defines, sizeof defines, "-DWG_SIZE=%u -DLANES=%d", p->g.local, p->lanes);
    IVL_TRY(ivl_stream_open(dev, &p->s));
    return ivl_build(dev, "roof", entry, defines, &p->k);
}

static void end(probe *p)
{
    ivl_release(p->x), ivl_release(p->y);
    ivl_stream_close(p->s);
}

ivl_status ivl_roof_gflops(ivl_device *dev, double *gflops_p)
{
    probe p = { 0 };
    *gflops_p = 0;
    if (!able(dev, &p)) return IVL_OK;
    p.work = 2.0 * SUMS * p.lanes * (double)items(&p);
    ivl_status s = build(dev, &p, "roof_fma");
    if (s == IVL_OK)
        s = ivl_alloc(dev, IVL_MEM_DEVICE, (size_t)items(&p) * (size_t)p.lanes * sizeof(float), &p.y);
    if (s == IVL_OK) s = measure(&p, gflops_p);
    *gflops_p /= 1e9;
    end(&p);
    return s;
}

/* bytes: read, and, to copy, as many written: half of them are each's. */
static ivl_status memory(ivl_device *dev, size_t bytes, bool copy, double *rate_p)
{
    probe p = { 0 };
    *rate_p = 0;
    if (!able(dev, &p)) return IVL_OK;
    size_t unit = (size_t)items(&p) * (size_t)p.lanes * sizeof(float) * 8;
    size_t half = (copy ? bytes / 2 : bytes) / unit * unit;
    if (half < unit) half = unit;
    p.work = (double)half * (copy ? 2 : 1);
    ivl_status s = build(dev, &p, copy ? "roof_copy" : "roof_read");
    if (s == IVL_OK) s = ivl_alloc(dev, IVL_MEM_DEVICE, half, &p.x);
    if (s == IVL_OK) s = ivl_alloc(dev, IVL_MEM_DEVICE, copy ? half : unit, &p.y);
    if (s == IVL_OK) s = ivl_fill(p.s, p.x, 0, half, 0);
    if (s == IVL_OK) s = ivl_fill(p.s, p.y, 0, copy ? half : unit, 0);
    if (s == IVL_OK) s = measure(&p, rate_p);
    end(&p);
    return s;
}

ivl_status ivl_roof_read(ivl_device *dev, size_t bytes, double *rate_p) { return memory(dev, bytes, false, rate_p); }
ivl_status ivl_roof_copy(ivl_device *dev, size_t bytes, double *rate_p) { return memory(dev, bytes, true, rate_p); }
