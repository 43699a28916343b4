/* What `ivl selftest` found wrong on a device is not chosen there; another type, device or implementation is. */
#include "ops/plan.h"
#include "ops/quirks.h"
#include "runtime/file.h"
#include "tests/suite.h"

#include <unistd.h>

static const char *chosen(ivl_device *dev, ivl_dtype t)
{
    ivl_graph *g = NULL;
    ivl_plan *p = NULL;
    ck_assert(ivl_graph_create(&g) == IVL_OK);
    ivl_val x = ivl_input(g, "x", t, 2, (int64_t[]){ 4, 8 });
    ivl_keep(g, ivl_l2_norm(g, x));
    const char *name = ivl_plan_create(dev, g, NULL, &p) == IVL_OK ? p->step[0].impl->name : NULL;
    ivl_plan_destroy(p);
    ivl_graph_destroy(g);
    return name;
}

static void write_quirk(const ivl_device *dev, const char *impl, const char *type)
{
    char *path = ivl_quirks_path(ivl_device_caps(dev));
    ck_assert_ptr_nonnull(path);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "# a comment\nsomething.else f32 # why\n%s %s # off by one\n", impl, type);
    fclose(f);
    free(path);
}

START_TEST(never_chosen)
{
    char dir[] = "/tmp/ivl-test-XXXXXX", longer[128];
    ivl_device *dev = NULL;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    setenv("IVL_CACHE_DIR", dir, 1);
    ck_assert(ivl_device_open("host", &dev) == IVL_OK);
    const char *impl = chosen(dev, IVL_F32);
    ck_assert_ptr_nonnull(impl);
    write_quirk(dev, impl, "f32");
    ck_assert_ptr_null(chosen(dev, IVL_F32));
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "selftest"));
    ck_assert_str_eq(chosen(dev, IVL_BF16), impl);
    snprintf(longer, sizeof longer, "%s.more", impl);
    write_quirk(dev, longer, "f32");
    ck_assert_str_eq(chosen(dev, IVL_F32), impl);
    write_quirk(dev, impl, "f32x");
    ck_assert_str_eq(chosen(dev, IVL_F32), impl);
    char *path = ivl_quirks_path(ivl_device_caps(dev));
    unlink(path), rmdir(dir), free(path);
    ivl_device_close(dev);
}
END_TEST

START_TEST(one_file_a_driver)
{
    ivl_caps a = { .name = "x", .driver = "1" }, b = { .name = "x", .driver = "2" };
    char *p = ivl_quirks_path(&a), *q = ivl_quirks_path(&b);
    ck_assert(p && q && strcmp(p, q));
    free(p), free(q);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("quirks");
    tcase_add_test(t, never_chosen);
    tcase_add_test(t, one_file_a_driver);
    return run_suite("quirks", t);
}
