/* An op of your own: y = x * x, with its gradient, a reference and an OpenCL kernel, recorded beside the library's
 * ops and run on a device. Build against an installed libivl:
 *
 *     cc own_op.c $(pkg-config --cflags --libs ivl) -o own_op && ./own_op [DEVICE]
 */
#include <ivl/ops.h>

#include <math.h>
#include <stdlib.h>

enum { N = 1000 };
static int square, square_bwd; /* op numbers, given at registration */

/* --- the op: shapes, gradient, truth ---------------------------------------------------------------------------- */

static ivl_status infer(const ivl_node *n)
{
    if (n->y[0] && !n->y[0]->pitch) *n->y[0] = ivl_tensor_make(n->x[0]->dtype, n->x[0]->rank, n->x[0]->dim);
    return IVL_OK;
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_val in[] = { n->in[0], ivl_grad(g, n->out[0]) };
    return ivl_record_bwd(g, square_bwd, in, 2, &n->in[0], 1, NULL, 0);
}

static float *host(const ivl_tensor *t) { return (float *)t->buf.host + t->off; }

static ivl_status reference(const ivl_node *n)
{
    for (int64_t i = 0; i < ivl_numel(n->x[0]); i++) host(n->y[0])[i] = host(n->x[0])[i] * host(n->x[0])[i];
    return IVL_OK;
}

static ivl_status reference_bwd(const ivl_node *n)
{
    for (int64_t i = 0; i < ivl_numel(n->x[0]); i++) {
        float d = 2 * host(n->x[0])[i] * host(n->x[1])[i];
        host(n->y[0])[i] = n->add_mask & 1 ? host(n->y[0])[i] + d : d;
    }
    return IVL_OK;
}

/* --- an implementation: one kernel for both ---------------------------------------------------------------------- */

static const char source[] =
    "#include \"dialect.h\"\n"
    "KERNEL void square(TENSOR_IN(x), TENSOR_OUT(y)) {\n"
    "    BEGIN(x); BEGIN(y);\n"
    "    store1(y, GROUP(0), load1(x, GROUP(0)) * load1(x, GROUP(0)));\n"
    "}\n"
    "KERNEL void square_bwd(TENSOR_IN(x), TENSOR_IN(dy), TENSOR_OUT(dx), int add) {\n"
    "    BEGIN(x); BEGIN(dy); BEGIN(dx);\n"
    "    put1(dx, GROUP(0), 2.0f * load1(x, GROUP(0)) * load1(dy, GROUP(0)), add);\n"
    "}\n";

struct ivl_prep { ivl_kernel *kernel; };

static bool fits(const ivl_caps *c, const ivl_node *n)
{
    return !(c->features & IVL_CAP_NO_KERNELS) && n->x[0]->dtype == IVL_F32;
}

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    (void)param;
    ivl_prep *p = malloc(sizeof *p);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_build(d, "square", n->op == square ? "square" : "square_bwd", "-DT_F32", &p->kernel);
    if (s == IVL_OK) *p_p = p;
    else free(p);
    return s;
}

/* A tensor is three arguments: buffer, offset, pitch. */
static int push(ivl_arg *a, int n, const ivl_tensor *t)
{
    a[n] = (ivl_arg){ &t->buf.handle, sizeof t->buf.handle };
    a[n + 1] = (ivl_arg){ &t->off, sizeof t->off };
    a[n + 2] = (ivl_arg){ &t->pitch, sizeof t->pitch };
    return n + 3;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    ivl_arg a[12];
    int k = 0, add = n->add_mask & 1;
    for (int i = 0; i < n->n_in; i++) k = push(a, k, n->x[i]);
    k = push(a, k, n->y[0]);
    if (n->op == square_bwd) a[k++] = (ivl_arg){ &add, sizeof add };
    ivl_grid grid = { { (uint32_t)ivl_numel(n->x[0]), 1, 1 }, 1 };
    return ivl_launch(s, p->kernel, grid, a, k);
}

static void destroy(ivl_prep *p) { free(p); }

static const ivl_impl rows[] = {
    { .name = "square.any", .op = IVL_ANY_OP, .fits = fits, .prepare = prepare, .run = run, .destroy = destroy },
};
static const ivl_op_desc desc = { .name = "square", .infer = infer, .grad = grad, .ref64 = reference,
                                  .ref32 = reference, .impls = rows, .n_impls = 1 };
static const ivl_op_desc desc_bwd = { .name = "square_bwd", .infer = infer, .ref64 = reference_bwd,
                                      .ref32 = reference_bwd, .impls = rows, .n_impls = 1 };

/* --- use: f(x) = sum of x^2 by hand; its gradient is 2x ---------------------------------------------------------- */

static ivl_status example(const char *spec)
{
    ivl_device *dev = NULL;
    ivl_stream *stream = NULL;
    ivl_graph *g = NULL;
    ivl_plan *plan = NULL;
    float x[N], dx[N], worst = 0;
    for (int i = 0; i < N; i++) x[i] = sinf((float)i);
    IVL_TRY(ivl_device_open(spec, &dev));
    IVL_TRY(ivl_stream_open(dev, &stream));
    IVL_TRY(ivl_graph_create(&g));
    ivl_val in = ivl_input(g, "x", IVL_F32, 1, (int64_t[]){ N });
    ivl_want_grad(g, in);
    ivl_val y = ivl_record(g, square, &in, 1, 1, NULL, 0, NULL);
    IVL_TRY(ivl_graph_backward(g, &(ivl_backward){ .out = &y, .n = 1 }));
    IVL_TRY(ivl_plan_create(dev, g, NULL, &plan));
    IVL_TRY(ivl_plan_bind(&plan, 1));
    IVL_TRY(ivl_plan_write(plan, stream, in, x, sizeof x));
    IVL_TRY(ivl_plan_run(plan, stream));
    IVL_TRY(ivl_plan_read(plan, stream, ivl_grad(g, in), dx, sizeof dx));
    for (int i = 0; i < N; i++) worst = fmaxf(worst, fabsf(dx[i] - 2 * x[i]));
    printf("%s: gradient of x^2 is 2x within %g\n", ivl_device_name(dev), (double)worst);
    ivl_plan_destroy(plan);
    ivl_graph_destroy(g);
    ivl_stream_close(stream);
    ivl_device_close(dev);
    return IVL_OK;
}

int main(int argc, char **argv)
{
    ivl_status s = ivl_op_register(&desc, &square);
    if (s == IVL_OK) s = ivl_op_register(&desc_bwd, &square_bwd);
    if (s == IVL_OK) s = ivl_source_register("square.cl", source);
    if (s == IVL_OK) s = example(argc > 1 ? argv[1] : "host");
    if (s != IVL_OK) fprintf(stderr, "own_op: %s\n", ivl_last_error());
    return s != IVL_OK;
}
