/* Every op row has cases, and every implementation that fits on the device passes them. The device is
 * $IVL_TEST_DEVICE, by default host and, if there is one, OpenCL. $IVL_TEST_SIZE: tiny, normal, large.
 * $IVL_TEST_OP: one op only. $IVL_TEST_SWEEP: other parameters too. The parent of the forked tests never
 * touches a driver. */
#include "backends/list.h"
#include "tests/ops/cases.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const devices[] = { "host", "opencl" };
enum { N_DEVICES = sizeof devices / sizeof *devices };

static ivl_case_size size_wanted(void)
{
    const char *text = getenv("IVL_TEST_SIZE");
    if (text && !strcmp(text, "tiny")) return IVL_TINY;
    return text && !strcmp(text, "large") ? IVL_LARGE : IVL_NORMAL;
}

static void report(void *user, const ivl_case_result *r)
{
    int *failed = user;
    *failed += !r->ok;
    if (r->ok && !getenv("IVL_TEST_VERBOSE")) return;
    fprintf(stderr, "%s  %s  %s  %s  %s", r->ok ? "ok  " : "FAIL", ivl_op_get(r->c->op)->name, r->c->name,
            ivl_dtype_name(r->dtype), r->impl);
    for (int i = 0; r->param && i < IVL_MAX_PARAM && r->param[i]; i++)
        fprintf(stderr, "%c%d", i ? ',' : ' ', r->param[i]);
    fprintf(stderr, ": error %.3g of %.3g%s%s\n", r->error, r->allowed, r->ok ? "" : ": ", r->message);
}

static bool present(const char *name)
{
    for (int i = 0, n = 0; i < ivl_backend_count(); i++)
        if (!strcmp(ivl_backend_get(i)->name, name)) return ivl_backend_get(i)->count(&n) == IVL_OK && n > 0;
    return false;
}

/* False when the op is not asked for or this machine has no such device and none was asked for. */
static bool open_device(const char *fallback, int op, ivl_device **dev_p)
{
    const char *spec = getenv("IVL_TEST_DEVICE"), *only = getenv("IVL_TEST_OP");
    if (!ivl_op_get(op) || (only && strcmp(only, ivl_op_get(op)->name))) return false;
    if (spec && strcmp(fallback, devices[0]))
        return false; /* one device was named: only the first round runs */
    if (!spec && !present(fallback)) return false;
    ck_assert_msg(ivl_device_open(spec ? spec : fallback, dev_p) == IVL_OK, "%s", ivl_last_error());
    return true;
}

static void run_op(const char *device, int op)
{
    ivl_device *dev = NULL;
    ivl_case_list *list = NULL;
    int failed = 0;
    if (!open_device(device, op, &dev)) return;
    ck_assert_msg(ivl_cases_create(&list) == IVL_OK, "%s", ivl_last_error());
    ivl_case_options o = {
        .op = op, .size = size_wanted(), .sweep = getenv("IVL_TEST_SWEEP"), .report = report, .user = &failed
    };
    ivl_status s = ivl_cases_run(list, dev, &o);
    ivl_cases_destroy(list);
    ivl_device_close(dev);
    ck_assert_msg(s == IVL_OK, "%s", ivl_last_error());
    ck_assert_msg(!failed, "%s on %s: %d failures", ivl_op_get(op)->name,
                  getenv("IVL_TEST_DEVICE") ? getenv("IVL_TEST_DEVICE") : device, failed);
}

START_TEST(test_first) { run_op(devices[0], _i); }
END_TEST

START_TEST(test_second) { run_op(devices[1], _i); }
END_TEST

START_TEST(test_complete)
{
    ivl_case_list *list = NULL;
    ck_assert(ivl_cases_create(&list) == IVL_OK);
    for (int op = 0; op < ivl_op_count(); op++) {
        int n = 0;
        for (int i = 0; i < ivl_cases_count(list); i++) n += ivl_cases_get(list, i)->op == op;
        ck_assert_msg(n || !ivl_op_get(op), "%s has no cases: write tests/ops/%s.c", ivl_op_get(op)->name,
                      ivl_op_get(op)->name);
    }
    ivl_cases_destroy(list);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops");
    TCase *complete = tcase_create("complete"), *first = tcase_create("first"),
          *second = tcase_create("second");
    tcase_add_test(complete, test_complete);
    tcase_add_loop_test(first, test_first, 0, ivl_op_count());
    tcase_add_loop_test(second, test_second, 0, ivl_op_count());
    tcase_set_timeout(first, 900), tcase_set_timeout(second, 900);
    suite_add_tcase(s, complete), suite_add_tcase(s, first), suite_add_tcase(s, second);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
