/* gemm_lab [MR NV KC KB]: the packed matrix products of the OpenCL backend by themselves, at the shapes of a
 * stage-1 step of preset small: checked against double, and timed (best of many short runs; "a core" is by
 * processor time, which others' load disturbs less). LAB_SHAPES=N: the first N shapes only; 0: the odd ones.
 */
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
    for (int64_t i = 0; i < rows * cols; i++)
        ivl_store(x.buf.host, t, i, (double)(rand() % 2001 - 1000) / 1000);
    return x;
}

static double at(const ivl_tensor *t, int64_t r, int64_t c)
{
    return ivl_load(t->buf.host, t->dtype, r * t->pitch + c);
}

static double worst(const ivl_tensor *a, const ivl_tensor *b, const ivl_tensor *y, int ta, int tb, int64_t k)
{
    double w = 0;
    for (int t = 0; t < 300; t++) {
        int64_t i = rand() % y->dim[0], j = rand() % y->dim[1];
        if (t < 4) i = y->dim[0] - 1 - t % y->dim[0], j = y->dim[1] - 1;
        double s = 0;
        for (int64_t q = 0; q < k; q++)
            s += (ta ? at(a, q, i) : at(a, i, q)) * (tb ? at(b, j, q) : at(b, q, j));
        w = fmax(w, fabs(s - at(y, i, j)));
    }
    return w;
}

static const ivl_impl *packed(const ivl_node *n)
{
    for (int i = 0; i < dev->backend->n_impls; i++) {
        const ivl_impl *m = &dev->backend->impls[i];
        if (m->op == n->op && strstr(m->name, "packed") && m->fits(&dev->caps, n)) return m;
    }
    fprintf(stderr, "no packed implementation fits\n");
    exit(1);
}

/* Best of 30 short runs, by the clock and by processor time. */
static void measure(const ivl_node *node, double flop, double *best_p, double *cpu_p, int *param)
{
    const ivl_impl *impl = packed(node);
    impl->space->defaults(&dev->caps, node, param);
    for (int i = 0; i < IVL_MAX_PARAM; i++) param[i] = user[i] ? user[i] : param[i];
    ivl_prep *prep = NULL;
    ivl_buffer scratch;
    must(impl->prepare(dev, node, param, &prep));
    must(ivl_alloc(dev, IVL_MEM_DEVICE, impl->scratch(&dev->caps, node) * 4, &scratch));
    int reps = (int)(1e9 / flop) + 1;
    *best_p = *cpu_p = 1e9;
    for (int r = 0; r < 30; r++) {
        double s = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < reps; i++) must(impl->run(stream, node, prep, scratch, 0));
        must(ivl_sync(stream));
        *best_p = fmin(*best_p, (seconds(CLOCK_MONOTONIC) - s) / reps);
        *cpu_p = fmin(*cpu_p, (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / reps);
    }
    memcpy(param, prep->p, sizeof prep->p);
    impl->destroy(prep);
    ivl_release(scratch);
}

static void report(const char *what, ivl_dtype t, int64_t m, int64_t n, int64_t k, ivl_node *node,
                   double error)
{
    int p[IVL_MAX_PARAM];
    double best, cpu, flop = 2.0 * (double)m * (double)n * (double)k;
    measure(node, flop, &best, &cpu, p);
    printf("%-4s %-8s %5lld %5lld %5lld: %7.3f ms %4.0f GFLOP/s, %4.0f a core", ivl_dtype_name(t), what,
           (long long)m, (long long)n, (long long)k, best * 1e3, flop / best / 1e9, flop / cpu / 1e9);
    if (error >= 0) printf(", error %.1e", error);
    printf(", tile %dx%d, groups %dx%d\n", p[0], p[1], p[4], p[5]);
    fflush(stdout);
}

static void product(ivl_dtype t, int ta, int tb, int64_t m, int64_t n, int64_t k)
{
    ivl_tensor a = ta ? tensor(t, k, m) : tensor(t, m, k), b = tb ? tensor(t, n, k) : tensor(t, k, n);
    ivl_tensor y = tensor(t, m, n);
    ivl_matmul_attr attr = { ta, tb };
    ivl_node node = {
        .op = IVL_OP_matmul, .n_in = 2, .n_out = 1, .x = { &a, &b }, .y = { &y }, .attr = &attr
    };
    char what[3] = { ta ? 'T' : 'N', tb ? 'T' : 'N', 0 };
    double best, cpu;
    measure(&node, 1e9, &best, &cpu, (int[IVL_MAX_PARAM]){ 0 });
    report(what, t, m, n, k, &node, worst(&a, &b, &y, ta, tb, k));
    ivl_release(a.buf), ivl_release(b.buf), ivl_release(y.buf);
}

/* What the epilogues cost: plain with bias, with GELU and z, with residual, LayerScale and z. */
static void epilogues(ivl_dtype t, int64_t m, int64_t n, int64_t k)
{
    static const int op[] = { IVL_OP_linear, IVL_OP_linear_gelu, IVL_OP_linear_residual };
    static const char *const what[] = { "linear", "gelu", "residual" };
    ivl_tensor x = tensor(t, m, k), w = tensor(t, n, k), b = tensor(t, 1, n), y = tensor(t, m, n),
               z = tensor(t, m, n);
    ivl_tensor res = tensor(t, m, n), ls = tensor(t, 1, n);
    for (int i = 0; i < 3; i++) {
        ivl_node node = { .op = op[i],
                          .n_in = i == 2 ? 5 : 3,
                          .n_out = i ? 2 : 1,
                          .x = { &x, &w, &b, &res, &ls },
                          .y = { &y, &z } };
        report(what[i], t, m, n, k, &node, -1);
    }
    ivl_buffer all[] = { x.buf, w.buf, b.buf, y.buf, z.buf, res.buf, ls.buf };
    for (int i = 0; i < 7; i++) ivl_release(all[i]);
}

int main(int argc, char **argv)
{
    static const int shapes[][3] = { { 520, 1152, 384 }, { 520, 384, 384 },    { 520, 1536, 384 },
                                     { 520, 384, 1536 }, { 640, 320, 320 },    { 640, 864, 320 },
                                     { 640, 320, 864 },  { 1024, 1024, 1024 }, { 2048, 2048, 2048 } };
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
    if (last > 8 || last == 0) {
        product(IVL_BF16, 0, 1, 520, 1152, 384);
        product(IVL_BF16, 0, 0, 520, 384, 1152);
        product(IVL_BF16, 1, 0, 1152, 384, 520);
        product(IVL_F16, 0, 1, 520, 1152, 384);
        product(IVL_F32, 0, 1, 1, 1152, 384);
        product(IVL_F32, 0, 1, 8, 768, 1152);
        product(IVL_F32, 0, 1, 30, 37, 41);
        epilogues(IVL_F32, 520, 1536, 384);
        epilogues(IVL_F32, 520, 384, 384);
        epilogues(IVL_BF16, 520, 1536, 384);
        product(IVL_F32, 1, 0, 30, 37, 5000);
    }
    ivl_stream_close(stream);
    ivl_device_close(dev);
    return 0;
}
