/* A quantised weight gives the very bits that its values in f32 give: few rows and many, on the host and on the device
 * that plans take by themselves; and is refused where it cannot be. */
#include "ops/op.h"
#include "runtime/dtype.h"
#include "runtime/rng.h"
#include "tests/suite.h"

enum { K = 96, N = 70, MOST = 40 };
static const ivl_dtype types[] = { IVL_Q8_0, IVL_Q4_0, IVL_Q4_1 };

static void ok(ivl_status s) { ck_assert_msg(s == IVL_OK, "%s", ivl_last_error()); }

typedef struct weights { ivl_tensor blocks, plain; } weights;

static ivl_tensor upload(ivl_device *dev, ivl_stream *s, ivl_dtype t, const void *data, const char *name)
{
    ivl_tensor w = ivl_tensor_make(t, 2, (int64_t[]){ N, K });
    size_t bytes = ivl_dtype_bytes(t, N * K);
    w.name = name;
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, bytes, &w.buf));
    ok(ivl_write(s, w.buf, 0, bytes, data));
    return w;
}

static void fill(float *x, int n, const char *stream)
{
    ivl_rng r = ivl_rng_make(5, stream);
    for (int i = 0; i < n; i++) x[i] = (float)ivl_rng_normal(r, 0, 0, (uint64_t)i);
}

static weights make_weights(ivl_device *dev, ivl_stream *s, ivl_dtype t)
{
    static float x[N * K];
    static char blocks[N * K * 2];
    fill(x, N * K, "w");
    ivl_quantise(blocks, t, x, N * K);
    ivl_dequantise(x, blocks, t, N * K);
    return (weights){ upload(dev, s, t, blocks, "blocks"), upload(dev, s, IVL_F32, x, "plain") };
}

/* y[rows,N] = x w^T, or rows of w by number. */
static void run(ivl_device *dev, ivl_stream *s, const ivl_tensor *w, int rows, bool embed, float *y)
{
    static float x[MOST * K];
    int32_t ids[MOST];
    ivl_graph *g = NULL;
    ivl_plan *p = NULL;
    ok(ivl_graph_create(&g));
    ivl_val wv = ivl_extern(g, w, NULL), in, out;
    if (embed) in = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ 1, rows }), out = ivl_embed(g, wv, in);
    else in = ivl_input(g, "x", IVL_F32, 2, (int64_t[]){ rows, K }), out = ivl_linear(g, in, wv, IVL_NONE);
    ivl_keep(g, out);
    ok(ivl_plan_create(dev, g, NULL, &p));
    ok(ivl_plan_bind(&p, 1));
    fill(x, rows * K, "x");
    for (int i = 0; i < rows; i++) ids[i] = i * 7 % N;
    if (embed) ok(ivl_plan_write(p, s, in, ids, (size_t)rows * sizeof *ids));
    else ok(ivl_plan_write(p, s, in, x, (size_t)rows * K * sizeof *x));
    ok(ivl_plan_run(p, s));
    ok(ivl_plan_read(p, s, out, y, (size_t)rows * (embed ? K : N) * sizeof *y));
    ivl_plan_destroy(p);
    ivl_graph_destroy(g);
}

static void same_bits(const char *spec)
{
    static float a[MOST * K], b[MOST * K];
    ivl_device *dev = NULL;
    ivl_stream *s = NULL;
    ok(ivl_device_open(spec, &dev));
    ok(ivl_stream_open(dev, &s));
    for (int t = 0; t < 3; t++) {
        weights w = make_weights(dev, s, types[t]);
        for (int rows = 1; rows <= MOST; rows += rows < 10 ? 1 : 15)
            for (int embed = 0; embed < 2; embed++) {
                run(dev, s, &w.blocks, rows, embed, a), run(dev, s, &w.plain, rows, embed, b);
                ck_assert_msg(!memcmp(a, b, (size_t)rows * (embed ? K : N) * sizeof *a), "%s %s, %d rows, %s",
                              dev->spec, ivl_dtype_name(types[t]), rows, embed ? "embed" : "linear");
            }
        ivl_release(w.blocks.buf), ivl_release(w.plain.buf);
    }
    ivl_stream_close(s);
    ivl_device_close(dev);
}

START_TEST(test_host) { same_bits("host"); }
END_TEST
START_TEST(test_device) { same_bits(getenv("IVL_TEST_DEVICE")); }
END_TEST

/* A graph of one linear: what says no. */
static ivl_status record(ivl_dtype x_type, ivl_dtype w_type, int64_t k, bool train)
{
    ivl_graph *g = NULL;
    ivl_tensor w = ivl_tensor_make(w_type, 2, (int64_t[]){ 64, k });
    w.name = "w";
    ok(ivl_graph_create(&g));
    ivl_val x = ivl_input(g, "x", x_type, 2, (int64_t[]){ 3, k }),
            y = ivl_linear(g, x, ivl_extern(g, &w, NULL), IVL_NONE);
    if (train) ivl_want_grad(g, x);
    ivl_status s = ivl_graph_status(g);
    if (s == IVL_OK && train) s = ivl_graph_backward(g, &(ivl_backward){ .out = &y, .n = 1 });
    ivl_graph_destroy(g);
    return s;
}

START_TEST(test_refused)
{
    ok(record(IVL_F32, IVL_Q8_0, 64, false));
    ck_assert_int_eq(record(IVL_BF16, IVL_Q8_0, 64, false), IVL_ESHAPE);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "q8_0[64,64]"));
    ck_assert_int_eq(record(IVL_F32, IVL_Q4_1, 40, false), IVL_ESHAPE);
    ck_assert_int_ne(record(IVL_F32, IVL_Q8_0, 64, true), IVL_OK);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("blocks");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_host);
    tcase_add_test(t, test_device);
    tcase_add_test(t, test_refused);
    return run_suite("blocks", t);
}
