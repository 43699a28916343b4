#include "ops/roof.h"

#include <stdio.h>
#include <time.h>

#include "ops/op.h"

enum { SUMS = 12, TRIES = 4 };
static const double LAUNCH = 0.04; /* seconds: long beside the cost of a launch */

typedef struct probe { ivl_stream *s; ivl_kernel *k; ivl_buffer y; ivl_grid g; int lanes; } probe;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ivl_status launch(const probe *p, int rounds, double *seconds_p)
{
    float a = 0.5f, b = 1;
    ivl_arg arg[] = { { &p->y.handle, sizeof p->y.handle }, { &a, sizeof a }, { &b, sizeof b },
                      { &rounds, sizeof rounds } };
    double start = now();
    IVL_TRY(ivl_launch(p->s, p->k, p->g, arg, 4));
    IVL_TRY(ivl_sync(p->s));
    *seconds_p = now() - start;
    return IVL_OK;
}

static ivl_status measure(const probe *p, double *gflops_p)
{
    double seconds = 0, best = 0;
    int rounds = 1000;
    IVL_TRY(launch(p, rounds, &seconds)); /* compiles late */
    for (; rounds < 1 << 28; rounds *= 4) {
        IVL_TRY(launch(p, rounds, &seconds));
        if (seconds > LAUNCH / 4) break;
    }
    for (int i = 0; i < TRIES; i++) {
        IVL_TRY(launch(p, rounds, &seconds));
        double flops = 2.0 * SUMS * p->lanes * rounds * p->g.groups[0] * p->g.local;
        if (flops / seconds > best) best = flops / seconds;
    }
    *gflops_p = best / 1e9;
    return IVL_OK;
}

ivl_status ivl_roof_gflops(ivl_device *dev, double *gflops_p)
{
    const ivl_caps *c = ivl_device_caps(dev);
    *gflops_p = 0;
    if (c->features & IVL_CAP_NO_KERNELS) return IVL_OK;
    bool gpu = (c->features & IVL_CAP_GPU) != 0;
    probe p = { .lanes = gpu ? 1 : c->vec_f32 > 16 ? 16 : c->vec_f32 };
    p.g = (ivl_grid){ { (uint32_t)c->units * (gpu ? 32 : 1), 1, 1 }, gpu ? 256 : 1 };
    char defines[64];
    snprintf(defines, sizeof defines, "-DWG_SIZE=%u -DLANES=%d", p.g.local, p.lanes);
    ivl_status s = ivl_stream_open(dev, &p.s);
    if (s == IVL_OK) s = ivl_build(dev, "roof", "roof_fma", defines, &p.k);
    if (s == IVL_OK)
        s = ivl_alloc(dev, IVL_MEM_DEVICE, (size_t)p.g.groups[0] * p.g.local * (size_t)p.lanes * sizeof(float), &p.y);
    if (s == IVL_OK) s = measure(&p, gflops_p);
    ivl_release(p.y);
    ivl_stream_close(p.s);
    return s;
}
