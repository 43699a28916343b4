/* ops/kernels/math.h as host C, against the C library in double. */
#include "tests/suite.h"

#include <stdint.h>

#define DEVICE static inline
#define FMA fmaf
typedef uint32_t uint;
static float as_float(uint u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static uint as_uint(float f)
{
    uint u;
    memcpy(&u, &f, 4);
    return u;
}
#define AS_FLOAT as_float
#define AS_UINT as_uint
#include "ops/kernels/math.h"

static double phi(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

START_TEST(test_exp)
{
    for (int i = -869000; i <= 887000; i++) {
        float x = (float)i * 1e-4f;
        double want = exp((double)x);
        ck_assert_msg(fabs(exp_f(x) - want) <= 1.3e-7 * want, "exp(%g) = %g, not %g", (double)x,
                      (double)exp_f(x), want);
    }
    ck_assert(exp_f(-INFINITY) == 0 && exp_f(-88) == 0 && exp_f(0) == 1 && exp_f(100) == INFINITY &&
              exp_f(INFINITY) == INFINITY);
    ck_assert(isnan(exp_f(NAN)) && isnan(exp2_f(NAN)) && isnan(sigmoid_f(NAN)));
    ck_assert(sigmoid_f(-INFINITY) == 0 && sigmoid_f(INFINITY) == 1 && sigmoid_f(0) == 0.5f);
    for (int i = -12500; i < 12800; i++) {
        float x = (float)i * 1e-2f;
        ck_assert_msg(fabs(exp2_f(x) - exp2((double)x)) <= 1.3e-7 * exp2((double)x), "exp2(%g) = %g",
                      (double)x, (double)exp2_f(x));
    }
}
END_TEST

START_TEST(test_gelu)
{
    double worst = 0, worst_grad = 0;
    for (int i = -1200000; i <= 1200000; i++) {
        float x = (float)i * 1e-5f;
        double d = x, want = d * phi(d), grad = phi(d) + d * exp(-d * d / 2) * 0.3989422804014327;
        worst = fmax(worst, fabs(gelu_f(x) - want) / (1 + fabs(want)));
        worst_grad = fmax(worst_grad, fabs(gelu_grad_f(x) - grad));
    }
    ck_assert_msg(worst <= 1e-7, "gelu is off by %g", worst);
    ck_assert_msg(worst_grad <= 1.5e-7, "its derivative by %g", worst_grad);
    ck_assert(gelu_f(0) == 0 && gelu_f(50) == 50 && fabsf(gelu_f(-50)) < 1e-15f && gelu_f(INFINITY) == INFINITY);
    ck_assert(gelu_grad_f(50) == 1 && fabsf(gelu_grad_f(-50)) < 1e-15f);
    ck_assert(isnan(gelu_f(NAN)) && isnan(gelu_grad_f(NAN)));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("math");
    tcase_set_timeout(t, 60); /* seconds under a sanitizer */
    tcase_add_test(t, test_exp);
    tcase_add_test(t, test_gelu);
    return run_suite("kernels/math.h", t);
}
