/* The backward pass as a program: recompute changes no bit, frozen parameters cost nothing, accumulation and
 * seeds add up, types that would not fit are refused, and a whole step runs as one plan. On the host (even
 * loops) and on $IVL_TEST_DEVICE, else the best device (odd ones). */
#include "tests/suite.h"

#include "ops/graph.h"
#include "runtime/dtype.h"
#include "runtime/rng.h"

#define ok(call) ck_assert_msg((call) == IVL_OK, "%s: %s", #call, ivl_last_error())

enum { MAX_TENSORS = 24 };

/* A device, a graph and memory for its external tensors. */
typedef struct world {
    ivl_device *dev;
    ivl_stream *s;
    ivl_graph *g;
    ivl_plan *p;
    ivl_tensor t[MAX_TENSORS];
    char name[MAX_TENSORS][16];
    int n;
} world;

static world open_world(int i)
{
    world w = { 0 };
    ok(ivl_device_open(i % 2 ? getenv("IVL_TEST_DEVICE") : "host", &w.dev));
    ok(ivl_stream_open(w.dev, &w.s));
    ok(ivl_graph_create(&w.g));
    return w;
}

static void close_world(world *w)
{
    ivl_plan_destroy(w->p);
    ivl_graph_destroy(w->g);
    for (int i = 0; i < w->n; i++) ivl_release(w->t[i].buf);
    ivl_stream_close(w->s);
    ivl_device_close(w->dev);
}

/* A graph of its own over the same memory. */
static void next_graph(world *w)
{
    ivl_plan_destroy(w->p);
    ivl_graph_destroy(w->g);
    w->p = NULL, w->g = NULL;
    ok(ivl_graph_create(&w->g));
}

static void put(world *w, int i, const double *v)
{
    const ivl_tensor *t = &w->t[i];
    int64_t n = ivl_numel(t);
    char *p = malloc(ivl_dtype_bytes(t->dtype, n));
    for (int64_t k = 0; k < n; k++) ivl_store(p, t->dtype, k, v[k]);
    ok(ivl_write(w->s, t->buf, 0, ivl_dtype_bytes(t->dtype, n), p));
    free(p);
}

static void get(const world *w, int i, double *v)
{
    const ivl_tensor *t = &w->t[i];
    int64_t n = ivl_numel(t);
    char *p = malloc(ivl_dtype_bytes(t->dtype, n));
    ok(ivl_read(w->s, t->buf, 0, ivl_dtype_bytes(t->dtype, n), p));
    for (int64_t k = 0; k < n; k++) v[k] = ivl_load(p, t->dtype, k);
    free(p);
}

/* A tensor of normal numbers; its index. */
static int make(world *w, ivl_dtype dtype, int64_t rows, int64_t cols, double mean, double std)
{
    int i = w->n++;
    ck_assert_int_lt(i, MAX_TENSORS);
    w->t[i] = ivl_tensor_make(dtype, rows ? 2 : 1, rows ? (int64_t[]){ rows, cols } : (int64_t[]){ cols });
    snprintf(w->name[i], sizeof w->name[i], "t%d", i);
    w->t[i].name = w->name[i];
    int64_t n = ivl_numel(&w->t[i]);
    ok(ivl_alloc(w->dev, IVL_MEM_DEVICE, ivl_dtype_bytes(dtype, n), &w->t[i].buf));
    double *v = malloc((size_t)n * sizeof *v);
    ivl_rng r = ivl_rng_make(1, w->name[i]);
    for (int64_t k = 0; k < n; k++) v[k] = mean + std * ivl_rng_normal(r, 0, 0, (uint64_t)k);
    put(w, i, v);
    free(v);
    return i;
}

static ivl_val at(world *w, int i, int grad)
{
    return ivl_extern(w->g, &w->t[i], grad < 0 ? NULL : &w->t[grad]);
}

static void run_plan(world *w)
{
    ok(ivl_graph_status(w->g));
    ok(ivl_plan_create(w->dev, w->g, NULL, &w->p));
    ok(ivl_plan_bind(&w->p, 1));
    ok(ivl_plan_run(w->p, w->s));
    ok(ivl_sync(w->s));
}

/* --- recompute ------------------------------------------------------------------------------------- */

enum { B = 2, N = 9, C = 32, LAYERS = 5, WEIGHTS = 5 };
static const struct {
    int64_t rows, cols;
    double mean, std;
} weight[WEIGHTS] = {
    { 0, C, 1, 0.1 }, { 3 * C, C, 0, 0.2 }, { C, C, 0, 0.2 }, { 0, C, 0, 0.1 }, { 0, C, 0.5, 0.1 },
};

static ivl_val layer(ivl_graph *g, ivl_val x, const ivl_val *w)
{
    ivl_attention_attr a = { .heads = 4, .kv_heads = 4, .mask = IVL_MASK_CAUSAL };
    ivl_block_begin(g);
    ivl_val qkv = ivl_linear(g, ivl_rms_norm(g, x, w[0], 1e-6), w[1], IVL_NONE);
    ivl_val q = ivl_rope(g, ivl_rms_norm(g, ivl_slice(g, qkv, 0, 3), w[0], 1e-6), IVL_NONE, 4, 100, 0);
    ivl_val o = ivl_attention(g, q, ivl_slice(g, qkv, 1, 3), ivl_slice(g, qkv, 2, 3), IVL_NONE, a);
    x = ivl_residual(g, x, ivl_linear(g, o, w[2], w[3]), w[4], IVL_NONE);
    x = ivl_residual(g, x, ivl_gelu(g, ivl_linear(g, x, w[2], w[3])), IVL_NONE, IVL_NONE);
    ivl_block_end(g);
    return x;
}

/* Gradients of all weights after each other, of one run over w's tensors: x, weights, gradients. */
static ivl_plan_size gradients(world *w, ivl_recompute recompute, double *v)
{
    ivl_val p[WEIGHTS], x = ivl_reshape(w->g, at(w, 0, -1), 3, (int64_t[]){ B, N, C });
    for (int i = 0; i < WEIGHTS; i++) p[i] = at(w, 1 + i, 1 + WEIGHTS + i);
    for (int i = 0; i < LAYERS; i++) x = layer(w->g, x, p);
    x = ivl_l2_norm(w->g, ivl_mean(w->g, x));
    ok(ivl_graph_backward(w->g, &(ivl_backward){ .out = &x, .n = 1, .recompute = recompute }));
    run_plan(w);
    for (int i = 0; i < WEIGHTS; v += ivl_numel(&w->t[1 + i]), i++) get(w, 1 + WEIGHTS + i, v);
    return ivl_plan_sizes(w->p);
}

START_TEST(recompute_changes_no_bit)
{
    ivl_dtype t = _i / 2 ? IVL_BF16 : IVL_F32;
    world w = open_world(_i);
    static double kept[5 * C * C], again[5 * C * C];
    make(&w, t, B * N, C, 0, 1);
    for (int i = 0; i < WEIGHTS; i++)
        make(&w, t, weight[i].rows, weight[i].cols, weight[i].mean, weight[i].std);
    for (int i = 0; i < WEIGHTS; i++) make(&w, IVL_F32, weight[i].rows, weight[i].cols, NAN, 0);
    ivl_plan_size a = gradients(&w, IVL_RECOMPUTE_NONE, kept);
    next_graph(&w);
    ivl_plan_size b = gradients(&w, IVL_RECOMPUTE_BLOCKS, again);
    ck_assert(!memcmp(kept, again, sizeof kept) && kept[0] != 0 && isfinite(kept[0]));
    ck_assert_int_gt(b.nodes, a.nodes);
    ck_assert_uint_lt(b.work, a.work);
    close_world(&w);
}
END_TEST

/* --- pruning --------------------------------------------------------------------------------------- */

/* Ops of the backward pass of linear2(gelu(linear1(x))), of which only some parts are trained. */
static int backward_ops(world *w, bool train1, bool train2, bool want_x)
{
    next_graph(w);
    ivl_val x = ivl_input(w->g, "x", IVL_F32, 2, (int64_t[]){ 4, 8 });
    if (want_x) ivl_want_grad(w->g, x);
    ivl_val h = ivl_gelu(w->g, ivl_linear(w->g, x, at(w, 0, train1 ? 2 : -1), IVL_NONE));
    ivl_val y = ivl_linear(w->g, h, at(w, 1, train2 ? 3 : -1), IVL_NONE);
    int before = w->g->n_node;
    ok(ivl_graph_backward(w->g, &(ivl_backward){ .out = &y, .n = 1 }));
    ck_assert_int_eq(ivl_is(ivl_grad(w->g, x)), want_x);
    return w->g->n_node - before;
}

START_TEST(frozen_parts_cost_nothing)
{
    world w = open_world(0);
    for (int i = 0; i < 4; i++) make(&w, IVL_F32, 8, 8, 0, 1);
    ck_assert_int_eq(backward_ops(&w, false, false, false), 1); /* the seed */
    ck_assert_int_eq(backward_ops(&w, false, true, false), 2);  /* dw2 */
    ck_assert_int_eq(backward_ops(&w, true, false, false), 4);  /* dh, gelu, dw1 */
    ck_assert_int_eq(backward_ops(&w, true, true, false), 5);
    ck_assert_int_eq(backward_ops(&w, false, false, true), 4); /* dh, gelu, dx */
    ck_assert_int_eq(backward_ops(&w, true, true, true), 6);
    close_world(&w);
}
END_TEST

/* --- accumulation and seeds ------------------------------------------------------------------------ */

/* The gradient of x, from y1 = gelu(x) and y2 = y1 w, seeded where seed is given (tensor 3 or, cast, a value
 * of the graph); into g[32]. */
static void seeded(world *w, bool first, bool second, bool cast_seed, bool accumulate, double *g)
{
    next_graph(w);
    ivl_val s = at(w, 3, -1);
    if (cast_seed) s = ivl_cast(w->g, s, w->t[3].dtype);
    ivl_val y1 = ivl_gelu(w->g, at(w, 0, 2)), y2 = ivl_linear(w->g, y1, at(w, 1, -1), IVL_NONE);
    ivl_val out[2], seed[2] = { s, s };
    int n = 0;
    if (first) out[n++] = y1;
    if (second) out[n++] = y2;
    ok(ivl_graph_backward(w->g,
                          &(ivl_backward){ .out = out, .seed = seed, .n = n, .accumulate = accumulate }));
    run_plan(w);
    get(w, 2, g);
}

START_TEST(seeds_add_up)
{
    world w = open_world(_i);
    double before[32], after[32], first[32], second[32], both[32];
    for (int i = 0; i < 4; i++) make(&w, _i % 2 ? IVL_F32 : IVL_F64, i == 1 ? 8 : 4, 8, 0, 1);
    get(&w, 3, before);
    seeded(&w, true, false, _i / 2, false, first);
    seeded(&w, false, true, _i / 2, false, second);
    seeded(&w, true, true, _i / 2, false, both);
    get(&w, 3, after);
    for (int i = 0; i < 32; i++)
        ck_assert_double_eq_tol(both[i], first[i] + second[i], _i % 2 ? 1e-5 : 1e-14);
    ck_assert(!memcmp(before, after, sizeof before)); /* a seed is only read */
    close_world(&w);
}
END_TEST

START_TEST(gradients_accumulate)
{
    world w = open_world(_i);
    double once[32], twice[32];
    for (int i = 0; i < 4; i++) make(&w, IVL_F32, i == 1 ? 8 : 4, 8, 0, 1);
    seeded(&w, true, true, false, false, once);
    seeded(&w, true, true, false, true, twice);
    for (int i = 0; i < 32; i++) ck_assert_double_eq_tol(twice[i], 2 * once[i], 1e-5);
    close_world(&w);
}
END_TEST

/* An op that would write bf16 into the f32 gradient of a parameter is refused when it is recorded. */
START_TEST(types_are_checked)
{
    world w = open_world(0);
    make(&w, IVL_BF16, 4, 8, 0, 1), make(&w, IVL_BF16, 0, 8, 1, 0), make(&w, IVL_F32, 4, 8, 0, 0);
    ivl_val y = ivl_rms_norm(w.g, at(&w, 0, 2), at(&w, 1, -1), 1e-6);
    ck_assert_int_eq(ivl_graph_backward(w.g, &(ivl_backward){ .out = &y, .n = 1 }), IVL_ESHAPE);
    ck_assert_msg(strstr(ivl_last_error(), "rms_norm_bwd"), "%s", ivl_last_error());
    close_world(&w);
}
END_TEST

/* --- a step ---------------------------------------------------------------------------------------- */

/* Forward, backward, norm, AdamW and clamp as one plan: w (0), dw (1), m (2), v (3) from x (4), all [6,8] but
 * x [5,8]; hyper (5); a number (6) that is clamped. */
static void step(world *w)
{
    ivl_adamw_attr a = { 0.9, 0.95, 1e-8, 1 };
    next_graph(w);
    ivl_val y = ivl_linear(w->g, at(w, 4, -1), at(w, 0, 1), IVL_NONE), dw = at(w, 1, -1);
    ok(ivl_graph_backward(w->g, &(ivl_backward){ .out = &y, .n = 1 }));
    ivl_val norm = ivl_sq_norm(w->g, &dw, 1);
    ivl_adamw(w->g, at(w, 0, -1), dw, at(w, 2, -1), at(w, 3, -1), at(w, 5, -1), norm, a);
    ivl_clamp(w->g, at(w, 6, -1), -1, 2);
    run_plan(w);
}

START_TEST(a_step_is_one_plan)
{
    static const double hyper[] = { 0.01, 0.1, 0.1, 0.05 };
    double p[48], q[48], x[40], dw[8] = { 0 }, norm = 0, number[1];
    world w = open_world(_i);
    for (int i = 0; i < 4; i++) make(&w, IVL_F32, 6, 8, 0, i == 0);
    make(&w, IVL_F32, 5, 8, 0, 1), make(&w, IVL_F32, 0, 4, 0, 0), make(&w, IVL_F32, 0, 1, 9, 0);
    put(&w, 5, hyper);
    get(&w, 0, p), get(&w, 4, x);
    step(&w);
    for (int i = 0; i < 40; i++) dw[i % 8] += x[i];
    for (int i = 0; i < 8; i++) norm += 6 * dw[i] * dw[i];
    get(&w, 0, q);
    for (int i = 0; i < 48; i++) { /* a first step is the rate by sign, but for eps */
        double g = dw[i % 8] / sqrt(norm), s = 0.1 * g / 0.1 / (sqrt(0.05 * g * g / 0.05) + 1e-8);
        ck_assert_double_eq_tol(q[i], p[i] * (1 - 0.001) - 0.01 * s, 1e-6);
    }
    get(&w, 6, number);
    ck_assert_double_eq(number[0], 2);
    x[3] = NAN;
    put(&w, 4, x);
    step(&w);
    get(&w, 0, p);
    ck_assert(!memcmp(p, q, sizeof p)); /* a gradient that is not finite changes nothing */
    close_world(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("backward");
    tcase_add_loop_test(t, recompute_changes_no_bit, 0, 4);
    tcase_add_test(t, frozen_parts_cost_nothing);
    tcase_add_loop_test(t, seeds_add_up, 0, 4);
    tcase_add_loop_test(t, gradients_accumulate, 0, 2);
    tcase_add_test(t, types_are_checked);
    tcase_add_loop_test(t, a_step_is_one_plan, 0, 2);
    tcase_set_timeout(t, 300);
    return run_suite("backward", t);
}
