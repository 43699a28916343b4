/* The checking device finds each way an implementation can misbehave, and lets a good one pass. The op's
 * implementations are plain C: they work where the host sees the device's memory. */
#include <ivl/ops.h>

#include "tests/runtime/device.h"

enum { ROWS = 3, COLS = 5, SCRATCH = 64 };

static const char *how; /* what the implementation does wrong */

static bool is(const char *word) { return !strcmp(how, word); }

static ivl_status infer(const ivl_node *n)
{
    *n->y[0] = ivl_tensor_make(IVL_F32, 2, n->x[0]->dim);
    return IVL_OK;
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    (void)d, (void)n, (void)param;
    *p_p = NULL;
    return IVL_OK;
}

static size_t scratch_bytes(const ivl_caps *c, const ivl_node *n)
{
    return (void)c, (void)n, (size_t)SCRATCH;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)s, (void)p;
    const ivl_tensor *x = n->x[0], *y = n->y[0];
    float *in = (float *)x->buf.host + x->off, *out = (float *)y->buf.host + y->off;
    char *room = (char *)scratch.host + off;
    if (strcmp(s->dev->spec, "host")) IVL_TRY(ivl_sync(s));
    for (int i = 0; i < ROWS * COLS; i++)
        if (!is("skips") || i != 7) out[i] = in[i / COLS * x->pitch + i % COLS] + 1;
    memset(room, 0, SCRATCH);
    if (is("input")) in[x->pitch + 2] = 9;
    if (is("gap")) in[COLS] = 9;
    if (is("behind")) out[ROWS * COLS + 1] = 9;
    if (is("before")) out[-1] = 9;
    if (is("scratch")) room[SCRATCH] = 1;
    return IVL_OK;
}

static void destroy(ivl_prep *p) { (void)p; }

static const ivl_impl impls[] = {
    { .name = "odd.any.c",
      .rank = 1,
      .scratch = scratch_bytes,
      .prepare = prepare,
      .run = run,
      .destroy = destroy },
};
static ivl_status no_reference(const ivl_node *n) { return (void)n, IVL_OK; }
static const ivl_op_desc odd = {
    .name = "odd", .infer = infer, .ref64 = no_reference, .impls = impls, .n_impls = 1
};

/* y = odd(first half of x), between other values. */
static ivl_status run_odd(const char *word, float *y)
{
    static int op = -1;
    static ivl_impl rows[1];
    static ivl_op_desc desc;
    how = word;
    if (op < 0) {
        rows[0] = impls[0], desc = odd, desc.impls = rows;
        ok(ivl_op_register(&desc, &op));
        rows[0].op = op;
    }
    float v[ROWS * COLS * 2];
    ivl_graph *g;
    ivl_plan *p;
    for (int i = 0; i < ROWS * COLS * 2; i++) v[i] = (float)i;
    ok(ivl_graph_create(&g));
    ivl_val x = ivl_input(g, "x", IVL_F32, 2, (int64_t[]){ ROWS, 2 * COLS });
    ivl_val h = ivl_slice(g, x, 0, 2);
    ivl_val out = ivl_keep(g, ivl_record(g, op, &h, 1, 1, NULL, 0, NULL));
    ok(ivl_plan_create(dev, g, NULL, &p));
    ok(ivl_plan_bind(&p, 1));
    ok(ivl_plan_write(p, stream, x, v, sizeof v));
    ivl_status s = ivl_plan_run(p, stream);
    if (s == IVL_OK) ok(ivl_plan_read(p, stream, out, y, 4 * ROWS * COLS));
    ivl_plan_destroy(p);
    ivl_graph_destroy(g);
    return s;
}

static void all_ways(const char *spec)
{
    static const struct {
        const char *how, *says;
    } ways[] = {
        { "skips", "output 0, f32[3,5], element [1,2] was not written" },
        { "input", "element [1,2] was changed" },
        { "gap", "check: odd by odd.any.c" },
        { "behind", "output 0: 5 bytes behind a row of it were written" },
        { "before", "output 0: 4 bytes before a row of it were written" },
        { "scratch", "scratch 0: 1 bytes behind a row of it were written" },
    };
    float y[ROWS * COLS];
    ok(ivl_device_open(spec, &dev));
    if (!(ivl_device_caps(dev)->features & IVL_CAP_HOST_MEMORY)) {
        ivl_device_close(dev);
        return;
    }
    ok(ivl_stream_open(dev, &stream));
    ok(run_odd("nothing", y));
    for (int i = 0; i < ROWS * COLS; i++) ck_assert(y[i] == (float)(i / COLS * 2 * COLS + i % COLS + 1));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        ck_assert_msg(run_odd(ways[i].how, y) == IVL_EDEVICE, "'%s' passed on %s", ways[i].how, spec);
        ck_assert_msg(strstr(ivl_last_error(), ways[i].says) != NULL, "%s: %s", ways[i].how,
                      ivl_last_error());
    }
    close_device();
}

START_TEST(test_on_host) { all_ways("check:host"); }
END_TEST

START_TEST(test_on_best)
{
    const char *spec = getenv("IVL_TEST_DEVICE");
    char text[64];
    snprintf(text, sizeof text, "check:%s", spec ? spec : "");
    if (!spec || strncmp(spec, "check", 5)) all_ways(text);
}
END_TEST

/* New memory is NaN, so what is read without being written shows. */
START_TEST(test_new_memory)
{
    ivl_buffer b;
    float v[5];
    ok(ivl_device_open("check:host", &dev));
    ok(ivl_stream_open(dev, &stream));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, sizeof v, &b));
    ok(ivl_read(stream, b, 0, sizeof v, v));
    for (int i = 0; i < 5; i++) ck_assert(v[i] != v[i]);
    ivl_release(b);
    close_device();
}
END_TEST

START_TEST(test_once)
{
    ck_assert(ivl_device_open("check:check:host", &dev) == IVL_EINVAL);
    ck_assert(strstr(ivl_last_error(), "checked once"));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("check");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_on_host);
    tcase_add_test(t, test_on_best);
    tcase_add_test(t, test_new_memory);
    tcase_add_test(t, test_once);
    return run_suite("check", t);
}
