/* gemm_lab [MR NV KC KB]: the packed matrix products of the OpenCL backend by themselves, at the shapes of a stage-1
 * step of preset small: checked against double, and timed (best of many short runs; "a core" is by processor time, which others' load disturbs less). */
#include "backends/list.h"
#include "ops/op.h"
#include "runtime/dtype.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ivl_device *dev;
static ivl_stream *stream;
static int user[IVL_MAX_PARAM];

static void must(ivl_status s)
{
    if (s == IVL_OK) return;
    fprintf(stderr, "%s\n", ivl_last_error());
    exit(1);
}

static ivl_tensor tensor(ivl_dtype t, int64_t rows, int64_t cols)
{
    ivl_tensor x = ivl_tensor_make(t, 2, (int64_t[]){ rows, cols });
    must(ivl_alloc(dev, IVL_MEM_DEVICE, ivl_dtype_bytes(t, rows * cols), &x.buf));
    for (int64_t i = 0; i < rows * cols; i++) ivl_store(x.buf.host, t, i, (double)(rand() % 2001 - 1000) / 1000);
    return x;
}

static double at(const ivl_tensor *t, int64_t r, int64_t c) { return ivl_load(t->buf.host, t->dtype, r * t->pitch + c); }

static double worst(const ivl_tensor *a, const ivl_tensor *b, const ivl_tensor *y, int ta, int tb, int64_t k)
{
    double w = 0;
    for (int t = 0; t < 300; t++) {
        int64_t i = rand() % y->dim[0], j = rand() % y->dim[1];
        if (t < 4) i = y->dim[0] - 1 - t % y->dim[0], j = y->dim[1] - 1;
        double s = 0;
        for (int64_t q = 0; q < k; q++) s += (ta ? at(a, q, i) : at(a, i, q)) * (tb ? at(b, j, q) : at(b, q, j));
        w = fmax(w, fabs(s - at(y, i, j)));
    }
    return w;
}

static void product(ivl_dtype t, int ta, int tb, int64_t m, int64_t n, int64_t k)
{
    ivl_tensor a = ta ? tensor(t, k, m) : tensor(t, m, k), b = tb ? tensor(t, n, k) : tensor(t, k, n), y = tensor(t, m, n);
    ivl_matmul_attr attr = { ta, tb };
    ivl_node node = { .op = IVL_OP_matmul, .n_in = 2, .n_out = 1, .x = { &a, &b }, .y = { &y }, .attr = &attr };
    const ivl_impl *impl = NULL;
    for (int i = 0; i < dev->backend->n_impls; i++)
        if (dev->backend->impls[i].op == IVL_OP_matmul) impl = &dev->backend->impls[i];
    if (!impl || !impl->fits(&dev->caps, &node)) {
        fprintf(stderr, "no implementation fits\n");
        exit(1);
    }
    int param[IVL_MAX_PARAM] = { 0 };
    impl->space->defaults(&dev->caps, &node, param);
    for (int i = 0; i < IVL_MAX_PARAM; i++) param[i] = user[i] ? user[i] : param[i];
    ivl_prep *prep = NULL;
    ivl_buffer scratch;
    must(impl->prepare(dev, &node, param, &prep));
    must(ivl_alloc(dev, IVL_MEM_DEVICE, impl->scratch(&dev->caps, &node) * 4, &scratch));
    double best = 1e9, best_cpu = 1e9, flop = 2.0 * (double)m * (double)n * (double)k;
    int reps = (int)(2e9 / flop) + 1;
    for (int r = 0; r < 30; r++) {
        double s = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < reps; i++) must(impl->run(stream, &node, prep, scratch, 0));
        must(ivl_sync(stream));
        s = (seconds(CLOCK_MONOTONIC) - s) / reps, cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / reps;
        best = fmin(best, s), best_cpu = fmin(best_cpu, cpu);
    }
    printf("%s %c%c %5lld %5lld %5lld: %7.3f ms %4.0f GFLOP/s, %4.0f a core, error %.1e, tile %dx%d, groups %dx%d\n", ivl_dtype_name(t),
           ta ? 'T' : 'N', tb ? 'T' : 'N', (long long)m, (long long)n, (long long)k, best * 1e3, flop / best / 1e9, flop / best_cpu / 1e9,
           worst(&a, &b, &y, ta, tb, k), prep->p[0], prep->p[1], prep->p[4], prep->p[5]);
    fflush(stdout);
    impl->destroy(prep);
    ivl_release(a.buf), ivl_release(b.buf), ivl_release(y.buf), ivl_release(scratch);
}

int main(int argc, char **argv)
{
    static const int shapes[][3] = { { 520, 1152, 384 }, { 520, 384, 384 }, { 520, 1536, 384 }, { 520, 384, 1536 },
        { 640, 320, 320 }, { 640, 864, 320 }, { 640, 320, 864 }, { 1024, 1024, 1024 }, { 2048, 2048, 2048 } };
    for (int i = 1; i < argc && i < 5; i++) user[i - 1] = atoi(argv[i]);
    must(ivl_device_open("opencl", &dev));
    must(ivl_stream_open(dev, &stream));
    int last = getenv("LAB_SHAPES") ? atoi(getenv("LAB_SHAPES")) : 9;
    for (int i = 0; i < last && i < 9; i++) {
        const int *s = shapes[i];
        product(IVL_F32, 0, 1, s[0], s[1], s[2]);
        product(IVL_F32, 0, 0, s[0], s[2], s[1]);
        product(IVL_F32, 1, 0, s[1], s[2], s[0]);
    }
    if (last > 8) {
        product(IVL_BF16, 0, 1, 520, 1152, 384);
        product(IVL_BF16, 0, 0, 520, 384, 1152);
        product(IVL_BF16, 1, 0, 1152, 384, 520);
        product(IVL_F16, 0, 1, 520, 1152, 384);
        product(IVL_F32, 0, 1, 1, 1152, 384);
        product(IVL_F32, 0, 1, 8, 768, 1152);
        product(IVL_F32, 0, 1, 30, 37, 41);
        product(IVL_F32, 1, 0, 30, 37, 5000);
    }
    ivl_stream_close(stream);
    ivl_device_close(dev);
    return 0;
}
