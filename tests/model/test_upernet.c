/* UperNet against PyTorch (make_upernet_golden.py): logits in evaluation and in training, losses, the gradient of every
 * parameter, running statistics; on the host and on the OpenCL device, if there is one, with neighbourhoods kept and
 * computed again. */
#include <ivl/ops.h>

#include "model/safetensors.h"
#include "model/upernet.h"
#include "runtime/dtype.h"
#include "tests/devices.h"
#include "tests/suite.h"

enum { H = 9, W = 6, SIDE = 11, CLASSES = 4, LIMIT = 8192 };
#define ok(call) ck_assert_msg((call) == IVL_OK, "%s", ivl_last_error())

typedef struct world {
    ivl_device *dev;
    ivl_stream *s;
    ivl_heads  *heads;
    ivl_st     *expected;
    ivl_graph  *g;
    ivl_plan   *plan;
    ivl_val     map[4], labels, logits[2], loss[2];
} world;

static const char *const tag[] = { "", "auxiliary." };

static void open_world(const char *device, world *w)
{
    *w = (world){ 0 };
    ok(ivl_device_open(device, &w->dev));
    ok(ivl_stream_open(w->dev, &w->s));
    ok(ivl_heads_load(w->dev, w->s, IVL_F32, true, source("tests/golden/upernet/heads.safetensors"), &w->heads));
    ok(ivl_st_open(source("tests/golden/upernet/expected.safetensors"), &w->expected));
    ok(ivl_graph_create(&w->g));
}

static void close_world(world *w)
{
    ivl_plan_destroy(w->plan), ivl_graph_destroy(w->g);
    ivl_st_close(w->expected), ivl_heads_destroy(w->heads);
    ivl_stream_close(w->s), ivl_device_close(w->dev);
}

static void record(world *w, bool train)
{
    ivl_val level[4];
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "in.map.%d", i);
        const ivl_st_tensor *t = ivl_st_find(w->expected, name);
        ck_assert_ptr_nonnull(t);
        w->map[i] = ivl_input(w->g, name, IVL_F32, 3, t->dim);
    }
    w->labels = ivl_input(w->g, "labels", IVL_I32, 1, (int64_t[]){ 2 * SIDE * SIDE });
    ivl_upernet_pyramid(&(ivl_head_scope){ w->g, w->heads, "backbone.", train }, w->map, H, W, level);
    w->logits[0] = ivl_upernet_head(&(ivl_head_scope){ w->g, w->heads, "decode_head.", train }, level, H, W);
    w->logits[1] = ivl_fcn_head(&(ivl_head_scope){ w->g, w->heads, "auxiliary_head.", train }, level[1], 2 * H, 2 * W);
    for (int i = 0; i < 2; i++) {
        ivl_resize2d_attr size = { (i ? 2 : 4) * H, (i ? 2 : 4) * W, SIDE, SIDE };
        ivl_val z = ivl_resize2d(w->g, ivl_keep(w->g, w->logits[i]), size);
        w->loss[i] = ivl_keep(w->g, ivl_softmax_ce(w->g, z, w->labels, IVL_NONE, IVL_NONE, NULL));
    }
}

static void feed(world *w, ivl_val v, const char *name)
{
    const ivl_st_tensor *t = ivl_st_find(w->expected, name);
    const ivl_tensor *to = ivl_tensor_of(w->g, v);
    float data[LIMIT];
    ck_assert(t && t->elements == ivl_numel(to) && t->elements <= LIMIT);
    ok(ivl_st_read(t, 0, t->elements, to->dtype, data));
    ok(ivl_plan_write(w->plan, w->s, v, data, ivl_dtype_bytes(to->dtype, t->elements)));
}

static void execute(world *w)
{
    char name[16];
    ok(ivl_graph_status(w->g));
    ok(ivl_plan_create(w->dev, w->g, NULL, &w->plan));
    ok(ivl_plan_bind(&w->plan, 1));
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "in.map.%d", i);
        feed(w, w->map[i], name);
    }
    feed(w, w->labels, "in.labels");
    ok(ivl_plan_run(w->plan, w->s));
    ok(ivl_sync(w->s));
}

static void compare(const world *w, const char *prefix, const char *name, const double *got, int64_t n)
{
    char full[128];
    double want[LIMIT], allowed, worst = 0;
    snprintf(full, sizeof full, "tolerance.%s%s", prefix, name);
    const ivl_st_tensor *limit = ivl_st_find(w->expected, full), *t = ivl_st_find(w->expected, full + 10);
    ck_assert_msg(t && limit && t->elements == n && n <= LIMIT, "%s: %lld elements", full, (long long)n);
    ok(ivl_st_read(limit, 0, 1, IVL_F64, &allowed));
    ok(ivl_st_read(t, 0, n, IVL_F64, want));
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, isnan(got[i]) ? INFINITY : fabs(got[i] - want[i]));
    ck_assert_msg(worst <= allowed, "%s is off by %g of %g", full + 10, worst, allowed);
}

static void compare_value(const world *w, ivl_val v, const char *prefix, const char *name)
{
    int64_t n = ivl_numel(ivl_tensor_of(w->g, v));
    float raw[LIMIT];
    double got[LIMIT];
    ck_assert_int_le(n, LIMIT);
    ok(ivl_plan_read(w->plan, w->s, v, raw, (size_t)n * sizeof *raw));
    for (int64_t i = 0; i < n; i++) got[i] = (double)raw[i];
    compare(w, prefix, name, got, n);
}

static void compare_gradient(const world *w, const ivl_head_param *p)
{
    float raw[LIMIT];
    double got[LIMIT];
    ck_assert_int_le(p->elements, LIMIT);
    ok(ivl_read(w->s, p->grad.buf, (size_t)p->grad.off * sizeof *raw, (size_t)p->elements * sizeof *raw, raw));
    for (int64_t i = 0; i < p->elements; i++) got[i] = (double)raw[i];
    compare(w, "grad.", p->name, got, p->elements);
}

static void evaluation(const char *device)
{
    world w;
    open_world(device, &w);
    record(&w, false);
    execute(&w);
    for (int i = 0; i < 2; i++) compare_value(&w, w.logits[i], tag[i], "eval");
    close_world(&w);
}

static void training(const char *device, ivl_recompute recompute)
{
    world w;
    double after[64];
    open_world(device, &w);
    record(&w, true);
    ivl_val seed[] = { IVL_NONE, ivl_fill_op(w.g, IVL_F32, 0, NULL, 0.4) };
    ok(ivl_graph_backward(w.g, &(ivl_backward){ .out = w.loss, .seed = seed, .n = 2, .recompute = recompute }));
    execute(&w);
    for (int i = 0; i < 2; i++) {
        compare_value(&w, w.logits[i], tag[i], "train");
        compare_value(&w, w.loss[i], tag[i], "loss");
    }
    for (int i = 0; i < w.heads->n; i++) {
        const ivl_head_param *p = &w.heads->param[i];
        if (!p->statistic) compare_gradient(&w, p);
        else ok(ivl_head_read(w.heads, w.s, p->name, after)), compare(&w, "after.", p->name, after, p->elements);
    }
    close_world(&w);
}

static void all(const char *device)
{
    evaluation(device);
    training(device, IVL_RECOMPUTE_NONE);
    training(device, IVL_RECOMPUTE_BLOCKS);
}

START_TEST(on_host) { all("host"); }
END_TEST

START_TEST(on_device)
{
    if (second_device()) all(second_device());
}
END_TEST

/* What is declared has the golden file's names and shapes, which are mmseg's. */
START_TEST(names)
{
    world w;
    ivl_heads *h = NULL;
    open_world("host", &w);
    ok(ivl_heads_create(w.dev, IVL_F32, &h));
    ok(ivl_heads_add_upernet(h, "", 6, 5, CLASSES));
    ck_assert_int_eq(h->n, w.heads->n);
    for (int i = 0; i < h->n; i++) {
        const ivl_head_param *p = &h->param[i], *q = ivl_heads_find(w.heads, p->name);
        ck_assert_msg(q && q->rank == p->rank && !memcmp(q->dim, p->dim, sizeof p->dim), "%s", p->name);
    }
    ivl_heads_destroy(h);
    close_world(&w);
}
END_TEST

/* Fresh weights: norms 1, biases 0, convolutions by their fan, classifiers small; the same from the same seed. */
START_TEST(fresh)
{
    world w;
    ivl_heads *h = NULL;
    double v[2][9 * 64 * 64], sum = 0;
    open_world("host", &w);
    ok(ivl_heads_create(w.dev, IVL_F32, &h));
    ok(ivl_heads_add_upernet(h, "", 6, 64, CLASSES));
    ok(ivl_heads_alloc(h, false));
    for (int i = 0; i < 2; i++) {
        ok(ivl_heads_init(h, w.s, 3));
        ok(ivl_head_read(h, w.s, "decode_head.fpn_convs.1.conv.weight", v[i]));
    }
    ck_assert(!memcmp(v[0], v[1], sizeof *v));
    for (int i = 0; i < 9 * 64 * 64; i++) sum += v[0][i] * v[0][i];
    ck_assert_double_eq_tol(sqrt(sum / (9 * 64 * 64)), sqrt(2 / (9 * 64.0)), 1e-3);
    ok(ivl_head_read(h, w.s, "backbone.up1.1.weight", v[0]));
    ck_assert_double_eq(v[0][5], 1);
    ok(ivl_head_read(h, w.s, "decode_head.psp_modules.3.1.bn.weight", v[0]));
    ck_assert_double_eq(v[0][63], 1);
    ok(ivl_head_read(h, w.s, "decode_head.conv_seg.weight", v[0]));
    for (int i = 0; i < CLASSES * 64; i++) ck_assert_double_lt(fabs(v[0][i]), 0.06);
    ivl_heads_destroy(h);
    close_world(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("upernet");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, on_host);
    tcase_add_test(t, on_device);
    tcase_add_test(t, names);
    tcase_add_test(t, fresh);
    return run_suite("upernet", t);
}
