/* The comparison of implementations catches what it is there for: an op of our own, y = 2 x (+ y), with one
 * right implementation and several wrong ones, on the host. */
#include "tests/ops/cases.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "runtime/dtype.h"

enum { COLS = 5, ROWS = 3, GAP = 4, SCRATCH = 64 };

static ivl_status infer(const ivl_node *n)
{
    ivl_tensor *y = n->y[0];
    if (!y->pitch) *y = ivl_tensor_make(n->x[0]->dtype, n->x[0]->rank, n->x[0]->dim);
    return IVL_OK;
}

static void put(const ivl_tensor *t, int64_t row, int64_t col, double v)
{
    ivl_store(t->buf.host, t->dtype, t->off + row * t->pitch + col, v);
}

static double get(const ivl_tensor *t, int64_t row, int64_t col)
{
    return ivl_load(t->buf.host, t->dtype, t->off + row * t->pitch + col);
}

static ivl_status ref(const ivl_node *n)
{
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++) {
            double old = n->add_mask ? get(n->y[0], r, c) : 0;
            put(n->y[0], r, c, 2 * get(n->x[0], r, c) + old);
        }
    return IVL_OK;
}

static size_t scratch_bytes(const ivl_caps *c, const ivl_node *n) { return (void)c, (void)n, SCRATCH; }

static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    (void)d, (void)n, (void)param, (void)p_p;
    return IVL_OK;
}

static void destroy(ivl_prep *p) { (void)p; }

#define RUN(name)                                                                                            \
    static ivl_status name(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
#define UNUSED (void)s, (void)n, (void)p, (void)scratch, (void)off

RUN(right)
{
    UNUSED;
    memset((char *)scratch.host + off, 1, SCRATCH);
    return ref(n);
}

RUN(off_by_little) /* four units in the last place of a half or more */
{
    UNUSED;
    ref(n);
    double v = get(n->y[0], 1, 2);
    put(n->y[0], 1, 2, v + 0.05 * (1 + fabs(v)));
    return IVL_OK;
}

RUN(unwritten)
{
    UNUSED;
    double last = get(n->y[0], ROWS - 1, COLS - 1);
    ref(n);
    put(n->y[0], ROWS - 1, COLS - 1, last);
    return IVL_OK;
}

RUN(beyond)
{
    UNUSED;
    ref(n);
    put(n->y[0], ROWS - 1, COLS + GAP, 1);
    return IVL_OK;
}

RUN(into_gap)
{
    UNUSED;
    ref(n);
    put(n->y[0], 0, COLS, 1);
    return IVL_OK;
}

RUN(changes_input)
{
    UNUSED;
    ref(n);
    put(n->x[0], 1, 1, 7);
    return IVL_OK;
}

RUN(before_scratch)
{
    UNUSED;
    ((char *)scratch.host)[off - 1] = 1;
    return ref(n);
}

RUN(after_scratch)
{
    UNUSED;
    ((char *)scratch.host)[off + SCRATCH] = 1;
    return ref(n);
}

RUN(reads_gap) /* what is read beyond a row must show */
{
    UNUSED;
    ref(n);
    put(n->y[0], 0, 0, get(n->y[0], 0, 0) + get(n->x[0], 0, COLS));
    return IVL_OK;
}

RUN(fails)
{
    UNUSED;
    return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "broken on purpose");
}

#define ROW(run_)                                                                                            \
    {                                                                                                        \
        .name = #run_, .scratch = scratch_bytes, .prepare = prepare, .run = run_, .destroy = destroy         \
    }
static const ivl_impl impls[] = { ROW(right),     ROW(off_by_little), ROW(unwritten),      ROW(beyond),
                                  ROW(into_gap),  ROW(changes_input), ROW(before_scratch), ROW(after_scratch),
                                  ROW(reads_gap), ROW(fails) };
enum { N_IMPLS = sizeof impls / sizeof *impls };

typedef struct tally { int ok, failed; } tally;

static void report(void *user, const ivl_case_result *r)
{
    tally *t = user;
    *(r->ok ? &t->ok : &t->failed) += 1;
    ck_assert_msg(r->ok || r->message[0], "%s failed without a reason", r->impl);
}

static void add_cases(ivl_case_list *list, int op)
{
    for (uint16_t add = 0; add < 2; add++) {
        ivl_case c = { .name = "twice", .op = op, .n_in = 1, .n_out = 1, .add_mask = add,
                       .in = { { IVL_ROLE_T, IVL_DIMS(ROWS, COLS), .gap = GAP } },
                       .out = { { IVL_ROLE_INFER, .gap = GAP } } };
        ivl_case_add(list, &c);
    }
}

START_TEST(test_catches)
{
    static ivl_op_desc d = {
        .name = "twice", .infer = infer, .ref64 = ref, .ref32 = ref, .impls = impls, .n_impls = N_IMPLS
    };
    int op;
    ivl_device *dev = NULL;
    ivl_case_list *list = NULL;
    tally t = { 0 };
    ck_assert(ivl_op_register(&d, &op) == IVL_OK && ivl_device_open("host", &dev) == IVL_OK);
    ck_assert(ivl_cases_create(&list) == IVL_OK);
    add_cases(list, op);
    ivl_case_options o = { .op = op, .impl = impls[_i].name, .size = IVL_TINY, .report = report, .user = &t };
    ck_assert_msg(ivl_cases_run(list, dev, &o) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(t.ok + t.failed, 6);
    ck_assert_msg(_i ? t.ok == 0 : t.failed == 0, "%s: %d runs passed, %d failed", impls[_i].name, t.ok, t.failed);
    ivl_cases_destroy(list);
    ivl_device_close(dev);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("harness");
    TCase *t = tcase_create("wrong ones");
    tcase_add_loop_test(t, test_catches, 0, N_IMPLS);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
