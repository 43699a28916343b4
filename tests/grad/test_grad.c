/* The gradient rule of every differentiable op, by directional derivative in f64 on the host. */
#include "tests/grad/grad_check.h"

#include <check.h>

typedef const ivl_grad_case *grads(int *n_p);
static grads *const lists[] = {
#define GRADS(name) ivl_grads_##name,
#include "tests/grad/grads.list.h"
#undef GRADS
};
enum { N_LISTS = sizeof lists / sizeof *lists };

/* Central differences with a step of 1e-5 in f64 are good to about 1e-10 of the gradient. */
#define LIMIT 1e-7

static const ivl_grad_case *nth(int i)
{
    for (int l = 0, n = 0; l < N_LISTS; i -= n, l++) {
        const ivl_grad_case *c = lists[l](&n);
        if (i < n) return &c[i];
    }
    return NULL;
}

START_TEST(test_rule)
{
    bool seen[512] = { 0 };
    double error = 0;
    const ivl_grad_case *c = nth(_i);
    ck_assert_int_le(ivl_op_count(), 512);
    ck_assert_msg(ivl_grad_check(c, seen, &error) == IVL_OK, "%s: %s", c->name, ivl_last_error());
    ck_assert_msg(error <= LIMIT, "%s: gradient off by %.3g of its norm", c->name, error);
}
END_TEST

/* A rule that passes its gradient on twice must not get through. */
static int wrong;
static ivl_status wrong_grad(ivl_graph *g, const ivl_node *n)
{
    IVL_TRY(ivl_pass_grad(g, n->out[0], n->in[0]));
    return ivl_pass_grad(g, n->out[0], n->in[0]);
}

static ivl_val build_wrong(ivl_graph *g, const ivl_val *leaf)
{
    ivl_cast_attr a = { IVL_F64 };
    return ivl_record(g, wrong, leaf, 1, 1, &a, sizeof a, NULL);
}

START_TEST(test_wrong)
{
    static const ivl_grad_case c = {
        .name = "wrong", .build = build_wrong, .n = 1, .leaf = { { IVL_ROLE_T, IVL_DIMS(3, 7) } }
    };
    static ivl_op_desc d;
    bool seen[512] = { 0 };
    double error = 0;
    d = *ivl_op_get(IVL_OP_cast);
    d.name = "wrong", d.grad = wrong_grad;
    ck_assert(ivl_op_register(&d, &wrong) == IVL_OK);
    ck_assert_msg(ivl_grad_check(&c, seen, &error) == IVL_OK, "%s", ivl_last_error());
    ck_assert_msg(error > 0.1, "a doubled gradient is called off by %.3g", error);
}
END_TEST

START_TEST(test_complete)
{
    bool seen[512] = { 0 };
    double error = 0;
    for (int i = 0; nth(i); i++) ivl_grad_check(nth(i), seen, &error);
    for (int op = 0; op < ivl_op_count(); op++)
        ck_assert_msg(seen[op] || !ivl_op_get(op) || !ivl_op_get(op)->grad,
                      "%s has no gradient case: write tests/grad/%s.c", ivl_op_get(op)->name,
                      ivl_op_get(op)->name);
}
END_TEST

int main(void)
{
    int n = 0, failed;
    while (nth(n)) n++;
    Suite *s = suite_create("grad");
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, test_rule, 0, n);
    tcase_add_test(t, test_complete);
    tcase_add_test(t, test_wrong);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
