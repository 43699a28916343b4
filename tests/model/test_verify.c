/* Both parity cases: every tensor of InternVL-C and of single-rank stage 1 is within its tolerance, in fp32 on the host
 * and on the OpenCL device, if there is one. IVL_TEST_DEVICE names another device. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/devices.h"
#include "tests/suite.h"
#include "train/verify.h"

static const char *const cases[] = { "odd", "odd2_bf16_sharded" };

static void report(void *ctx, const ivl_verify_line *l)
{
    (void)ctx;
    if (l->verdict == IVL_BEYOND) fprintf(stderr, "beyond: %s: %g of %g\n", l->name, l->error, l->tolerance);
}

static void run(const char *device, const char *name)
{
    char dir[4096];
    ivl_device *dev = NULL;
    int n[3] = { 0 };
    snprintf(dir, sizeof dir, "%s/%s", source("tests/golden"), name);
    ck_assert_msg(ivl_device_open(device, &dev) == IVL_OK, "%s", ivl_last_error());
    ivl_verify_options o = { .compute = IVL_F32, .line = report };
    ck_assert_msg(ivl_verify(dir, dev, &o, n) == IVL_OK, "%s", ivl_last_error());
    ivl_device_close(dev);
    ck_assert_int_eq(n[IVL_BEYOND], 0);
    ck_assert_int_ge(n[IVL_WITHIN], 60);
}

START_TEST(on_host) { run("host", cases[_i]); }
END_TEST

START_TEST(on_device)
{
    if (second_device()) run(second_device(), cases[_i]);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("verify");
    tcase_set_timeout(t, 900);
    tcase_add_loop_test(t, on_host, 0, 2);
    tcase_add_loop_test(t, on_device, 0, 2);
    return run_suite("verify", t);
}
