/* Rows of a task: every node is counted once, files come back as they were, and tasks refuse what they cannot
 * do. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/roof.h"
#include "tests/suite.h"
#include "train/bench.h"

static const ivl_task_options tiny = { .model = "tiny", .batch = 2, .text_len = 8, .new_tokens = 3 };
static const ivl_bench_options quick = { .budget = 0.0001 };

static ivl_task *open_task(ivl_device *dev, const char *name)
{
    ivl_task *t = NULL;
    ck_assert_msg(ivl_task_open(dev, name, &tiny, &t) == IVL_OK, "%s: %s", name, ivl_last_error());
    ck_assert_msg(ivl_task_run(t) == IVL_OK, "%s: %s", name, ivl_last_error());
    return t;
}

static ivl_device *open_device(const char *spec)
{
    ivl_device *dev = NULL;
    ck_assert_msg(ivl_device_open(spec, &dev) == IVL_OK, "%s", ivl_last_error());
    return dev;
}

/* Rows of the same op and shapes (attributes may differ) are together, and the slowest of each descend. */
static void check_order(const ivl_bench *b)
{
    double above = HUGE_VAL;
    for (int i = 0, end; i < b->n; i = end) {
        double most = 0;
        for (end = i; end < b->n && !strcmp(b->row[i].op, b->row[end].op) &&
                      !strcmp(b->row[i].shapes, b->row[end].shapes);
             end++)
            most = fmax(most, b->row[end].time.median * b->row[end].times);
        ck_assert_double_le(most, above);
        above = most;
    }
}

START_TEST(test_every_node)
{
    ivl_device *dev = open_device("host");
    const char *name;
    for (int i = 0; (name = ivl_task_name(i)); i++) {
        ivl_task *t = open_task(dev, name);
        ivl_bench b = { 0 };
        ivl_bench_roofs none = { 0 };
        int nodes = 0;
        double flops = 0;
        ck_assert_msg(ivl_bench_task(&b, dev, t, &none, &quick) == IVL_OK, "%s", ivl_last_error());
        for (int j = 0; j < b.n; j++) {
            nodes += b.row[j].times, flops += b.row[j].times * b.row[j].flops;
            ck_assert(b.row[j].time.median > 0 && b.row[j].chosen && b.row[j].bytes > 0);
        }
        ck_assert_int_eq(nodes, ivl_plan_nodes(ivl_task_plan(t)));
        ck_assert_double_eq_tol(flops / ivl_plan_sizes(ivl_task_plan(t)).flops, 1, 1e-9);
        ivl_bench_sort(&b);
        check_order(&b);
        ivl_bench_free(&b);
        ivl_task_close(t);
    }
    ivl_device_close(dev);
}
END_TEST

START_TEST(test_files)
{
    ivl_device *dev = open_device(NULL);
    ivl_task *t = open_task(dev, "text");
    ivl_bench b = { 0 }, back = { 0 };
    ivl_bench_roofs r = {
        .flops = 1e11, .copy = 1e10, .read = { 1e11, 5e10, 1e10 }, .level = { 1 << 15, 1 << 20, 1 << 29 }
    };
    ivl_bench_options all = quick;
    char path[] = "/tmp/ivl-test-XXXXXX";
    int fd = mkstemp(path);
    all.all = true;
    ck_assert(ivl_bench_task(&b, dev, t, &r, &all) == IVL_OK);
    ck_assert_msg(ivl_bench_save(&b, path) == IVL_OK && ivl_bench_load(path, &back) == IVL_OK, "%s",
                  ivl_last_error());
    ck_assert_int_eq(b.n, back.n);
    for (int i = 0; i < b.n; i++) {
        ck_assert_str_eq(b.row[i].impl, back.row[i].impl);
        ck_assert_str_eq(b.row[i].shapes, back.row[i].shapes);
        ck_assert_double_eq_tol(b.row[i].time.median / back.row[i].time.median, 1, 1e-4);
    }
    ck_assert_msg(ivl_bench_svg(&b, dev->spec, &r, path) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_bench_load(path, &back), IVL_EFORMAT); /* a picture is no list */
    ck_assert(strstr(ivl_last_error(), path));
    close(fd), unlink(path);
    ivl_bench_free(&b), ivl_bench_free(&back);
    ivl_task_close(t);
    ivl_device_close(dev);
}
END_TEST

START_TEST(test_refusals)
{
    ivl_device *dev = open_device("host");
    ivl_task *t = NULL;
    ivl_bench b = { 0 };
    ivl_bench_roofs none = { 0 };
    ck_assert_int_eq(ivl_task_open(dev, "stage9", &tiny, &t), IVL_EINVAL);
    ck_assert(strstr(ivl_last_error(), "stage9") && strstr(ivl_last_error(), "caption"));
    t = open_task(dev, "text");
    ivl_bench_options o = quick;
    o.blas = "/nowhere/libblas.so";
    ck_assert_int_eq(ivl_bench_task(&b, dev, t, &none, &o), IVL_EIO);
    ck_assert(strstr(ivl_last_error(), o.blas));
    ck_assert_int_eq(ivl_bench_svg(&b, "host", &none, "/nowhere/x.svg"), IVL_EUNSUPPORTED);
    ivl_task_close(t);
    ivl_device_close(dev);
}
END_TEST

/* A device with kernels has roofs, and one without has none. */
START_TEST(test_roofs)
{
    ivl_device *dev = open_device(NULL);
    double flops = 0, near = 0, copy = 0;
    ck_assert_msg(ivl_roof_gflops(dev, &flops) == IVL_OK && ivl_roof_read(dev, 1 << 15, &near) == IVL_OK &&
                      ivl_roof_copy(dev, 1 << 20, &copy) == IVL_OK,
                  "%s", ivl_last_error());
    bool kernels = !(ivl_device_caps(dev)->features & IVL_CAP_NO_KERNELS);
    ck_assert(kernels == (flops > 0) && kernels == (near > 0) && kernels == (copy > 0));
    ivl_device_close(dev);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("bench");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_every_node);
    tcase_add_test(t, test_files);
    tcase_add_test(t, test_refusals);
    tcase_add_test(t, test_roofs);
    return run_suite("bench", t);
}
