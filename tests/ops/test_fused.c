/* Fusion changes no bit: on every implementation that offers both, linear_gelu and linear_residual give what
 * linear, rounded to the storage type, and then gelu or residual give; and a plan with linears what one gives that is
 * not fused. Device: $IVL_TEST_DEVICE, default host. */
#include "tests/ops/cases.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"

static const ivl_dtype types[] = { IVL_F32, IVL_BF16, IVL_F16 };

/* x, w, bias, res, ls, scale; sizes that fill no tile */
static const ivl_case all = {
    .name = "fused", .n_in = 6, .n_out = 2,
    .in = { { IVL_ROLE_T, IVL_DIMS(3, 23, 150) }, { IVL_ROLE_T, IVL_DIMS(77, 150) }, { IVL_ROLE_T, IVL_DIMS(77) },
            { IVL_ROLE_T, IVL_DIMS(3, 23, 77) }, { IVL_ROLE_T, IVL_DIMS(77) },
            { IVL_ROLE_F32, IVL_DIMS(3), .draw = { IVL_DRAW_INT, 0, 3 } } },
    .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
};

static void ok(ivl_status s) { ck_assert_msg(s == IVL_OK, "%s", ivl_last_error()); }

/* Runs cn with its implementation number which. */
static void run(ivl_case_node *cn, ivl_stream *s, int which)
{
    bool fits = false;
    int param[IVL_MAX_PARAM];
    ivl_prep *prep = NULL;
    ivl_buffer scratch = { 0 };
    const ivl_impl *impl = ivl_case_impl(s->dev, &cn->n, which, &fits);
    ck_assert(impl && fits);
    ivl_case_params(s->dev, &cn->n, impl, param);
    ok(ivl_case_node_upload(cn, s));
    ok(ivl_alloc(s->dev, IVL_MEM_DEVICE,
                 (impl->scratch ? impl->scratch(ivl_device_caps(s->dev), &cn->n) : 0) + 64, &scratch));
    ok(impl->prepare(s->dev, &cn->n, param, &prep));
    ok(impl->run(s, &cn->n, prep, scratch, 0));
    ok(ivl_sync(s));
    impl->destroy(prep);
    ivl_release(scratch);
}

/* Output i of cn as doubles, and the bytes of its memory. */
static double *values_of(const ivl_case_node *cn, ivl_stream *s, int i)
{
    const ivl_tensor *t = &cn->y[i];
    int64_t n = ivl_numel(t);
    double *v = malloc((size_t)n * sizeof *v);
    char *bytes = malloc(cn->my[i].bytes);
    ck_assert(v && bytes);
    ok(ivl_read(s, cn->my[i].buf, 0, cn->my[i].bytes, bytes));
    for (int64_t j = 0; j < n; j++) v[j] = ivl_load(bytes, t->dtype, t->off + j);
    free(bytes);
    return v;
}

/* The inputs of `all`, exactly as rounded. */
static void inputs_of(const ivl_case_node *cn, double **v)
{
    for (int i = 0; i < 6; i++) {
        if (!cn->n.x[i]) continue;
        int64_t n = ivl_numel(&cn->x[i]);
        v[i] = malloc((size_t)n * sizeof(double));
        ck_assert(v[i] != NULL);
        for (int64_t j = 0; j < n; j++) v[i][j] = ivl_load(cn->mx[i].image, cn->x[i].dtype, cn->x[i].off + j);
    }
}

static void same(const ivl_case_node *a, int ia, const double *want, ivl_stream *s, const char *impl, const char *what)
{
    double *got = values_of(a, s, ia);
    for (int64_t i = 0; i < ivl_numel(&a->y[ia]); i++)
        ck_assert_msg(got[i] == want[i], "%s %s, %s: element %lld is %.9g fused and %.9g apart", impl, what,
                      ivl_dtype_name(a->y[ia].dtype), (long long)i, got[i], want[i]);
    free(got);
}

/* The fused case c against linear by implementation `which`, then the op after it. */
static void check_pair(const ivl_case *c, ivl_dtype t, ivl_stream *s, int which, const char *impl)
{
    bool residual = c->op == IVL_OP_linear_residual;
    ivl_case_node *fused = NULL, *linear = NULL, *after = NULL;
    ivl_case first = { .name = "linear",
                       .op = IVL_OP_linear,
                       .n_in = 3,
                       .n_out = 1,
                       .in = { c->in[0], c->in[1], c->in[2] },
                       .out = { c->out[0] } };
    ivl_case second = { .name = "after", .op = residual ? IVL_OP_residual : IVL_OP_gelu, .n_in = residual ? 4 : 1,
                        .n_out = 1, .out = { c->out[0] } };
    double *v[6] = { 0 };
    ok(ivl_case_node_create(c, t, NULL, NULL, &fused));
    inputs_of(fused, v);
    run(fused, s, which);
    ok(ivl_case_node_create(&first, t, v, NULL, &linear));
    run(linear, s, which);
    double *z = values_of(linear, s, 0), *v2[4] = { residual ? v[3] : z, z, v[4], v[5] };
    second.in[0] = second.in[1] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(3, 23, 77), .gap = 0 };
    second.in[2] = c->in[4], second.in[3] = c->in[5];
    ok(ivl_case_node_create(&second, t, v2, NULL, &after));
    run(after, s, 0);
    double *y = values_of(after, s, 0);
    same(fused, 1, z, s, impl, "z");
    same(fused, 0, y, s, impl, ivl_op_get(c->op)->name);
    ivl_case_node_destroy(fused), ivl_case_node_destroy(linear), ivl_case_node_destroy(after);
    for (int i = 0; i < 6; i++) free(v[i]);
    free(z), free(y);
}

static void check_case(ivl_case c, ivl_stream *s)
{
    for (int i = 0; i < 3; i++) {
        ivl_case_node *cn = NULL;
        const ivl_impl *impl;
        bool fits = false;
        ok(ivl_case_node_create(&c, types[i], NULL, NULL, &cn));
        for (int k = 0; (impl = ivl_case_impl(s->dev, &cn->n, k, &fits)); k++)
            if (fits) check_pair(&c, types[i], s, k, impl->name);
        ivl_case_node_destroy(cn);
    }
}

static void check_device(const char *spec)
{
    ivl_device *dev = NULL;
    ivl_stream *s = NULL;
    ok(ivl_device_open(spec, &dev));
    ok(ivl_stream_open(dev, &s));
    ivl_case c = all;
    c.op = IVL_OP_linear_gelu, c.n_in = 3;
    check_case(c, s);
    c.op = IVL_OP_linear_residual, c.n_in = 6;
    check_case(c, s);
    c.in[4].role = IVL_ROLE_ABSENT;
    check_case(c, s);
    c.in[2].role = c.in[5].role = IVL_ROLE_ABSENT;
    check_case(c, s);
    ivl_stream_close(s);
    ivl_device_close(dev);
}

START_TEST(test_bits) { check_device(getenv("IVL_TEST_DEVICE")); }
END_TEST

/* What a decoder's layer does around attention, for M rows. */
enum { M = 2, K = 70, N = 33, INPUTS = 7, OUTPUTS = 4 };
typedef struct layer { ivl_graph *g; ivl_val in[INPUTS], out[OUTPUTS]; } layer;

static void record(layer *l, ivl_dtype t)
{
    static const int rows[INPUTS] = { M, 1, 2 * N, N, N, N, N };
    ok(ivl_graph_create(&l->g));
    for (int i = 0; i < INPUTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "input %d", i);
        l->in[i] = i == 1 ? ivl_input(l->g, name, t, 1, (int64_t[]){ K })
                          : ivl_input(l->g, name, t, 2, (int64_t[]){ rows[i], K });
    }
    ivl_val h = ivl_rms_norm(l->g, l->in[0], l->in[1], 1e-5);
    for (int i = 0; i < 3; i++) l->out[i] = ivl_keep(l->g, ivl_linear(l->g, h, l->in[2 + i], IVL_NONE));
    h = ivl_rms_norm(l->g, l->in[0], l->in[1], 1e-5);
    ivl_val gate = ivl_linear(l->g, h, l->in[5], IVL_NONE), up = ivl_linear(l->g, h, l->in[6], IVL_NONE);
    l->out[3] = ivl_keep(l->g, ivl_silu_mul(l->g, gate, up));
}

/* The bytes of all outputs. */
static void run_layer(ivl_device *dev, ivl_stream *s, const layer *l, ivl_dtype t, bool fuse, char *out, int *steps)
{
    ivl_plan *p = NULL;
    ivl_plan_options o = { .no_fuse = !fuse };
    ok(ivl_plan_create(dev, l->g, &o, &p));
    ok(ivl_plan_bind(&p, 1));
    *steps = ivl_plan_nodes(p);
    for (int i = 0; i < INPUTS; i++) {
        const ivl_tensor *x = ivl_plan_tensor(p, l->in[i]);
        ivl_tensor host = ivl_tensor_make(t, x->rank, x->dim);
        size_t bytes = ivl_dtype_bytes(t, ivl_numel(x));
        host.buf.host = malloc(bytes);
        ck_assert(host.buf.host != NULL);
        ivl_case_fill(&host, &(ivl_draw){ IVL_DRAW_NORMAL, 0, 1 }, "layer", (uint32_t)i);
        ok(ivl_plan_write(p, s, l->in[i], host.buf.host, bytes));
        free(host.buf.host);
    }
    ok(ivl_plan_run(p, s));
    for (int i = 0; i < OUTPUTS; i++) {
        size_t bytes = ivl_dtype_bytes(t, ivl_numel(ivl_plan_tensor(p, l->out[i])));
        ok(ivl_plan_read(p, s, l->out[i], out, bytes));
        out += bytes;
    }
    ivl_plan_destroy(p);
}

START_TEST(test_linears)
{
    ivl_device *dev = NULL;
    ivl_stream *s = NULL;
    ok(ivl_device_open(getenv("IVL_TEST_DEVICE"), &dev));
    ok(ivl_stream_open(dev, &s));
    for (int i = 0; i < 3; i++) {
        layer l;
        int steps[2];
        static char fused[M * 5 * N * 4], apart[M * 5 * N * 4];
        record(&l, types[i]);
        run_layer(dev, s, &l, types[i], true, fused, &steps[0]);
        run_layer(dev, s, &l, types[i], false, apart, &steps[1]);
        ck_assert_int_eq(steps[0], 2);
        ck_assert_int_eq(steps[1], 8);
        ck_assert_msg(!memcmp(fused, apart, M * 5 * N * ivl_dtype_bytes(types[i], 1)), "%s", ivl_dtype_name(types[i]));
        ivl_graph_destroy(l.g);
    }
    ivl_stream_close(s);
    ivl_device_close(dev);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fused");
    TCase *t = tcase_create("bits");
    tcase_add_test(t, test_bits);
    tcase_add_test(t, test_linears);
    tcase_set_timeout(t, 300);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
