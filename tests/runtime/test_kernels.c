/* Building and launching kernels, and the cache of compiled ones: kept, refreshed, damaged, shared. */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops/op.h"
#include "runtime/dtype.h"
#include "tests/runtime/device.h"

extern const ivl_op_desc ivl_desc_rms_norm;

static char cache[64];

static bool no_kernels(void) { return ivl_device_caps(dev)->features & IVL_CAP_NO_KERNELS; }

/* A cache of its own for each test. */
static void own_cache(void)
{
    strcpy(cache, "/tmp/ivl-test-XXXXXX");
    ck_assert(mkdtemp(cache));
    setenv("IVL_CACHE_DIR", cache, 1);
}

static void own_cache_and_device(void)
{
    own_cache();
    open_device();
}

/* Paths of the cache's entries; the number of them. */
static int entries(char path[][PATH_MAX], int room)
{
    int n = 0;
    DIR *d = opendir(cache);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && n < room) snprintf(path[n++], PATH_MAX, "%s/%s", cache, e->d_name);
    if (d) closedir(d);
    return n;
}

static void drop_cache(void)
{
    char path[64][PATH_MAX];
    close_device();
    for (int i = entries(path, 64) - 1; i >= 0; i--) unlink(path[i]);
    rmdir(cache);
}

static void reopen(void)
{
    close_device();
    open_device();
}

/* rms_norm of a small case by kernel and by reference. */
enum { ROWS = 5, COLS = 37, X_AT = 11, X_PITCH = 40, W_AT = 301, Y_AT = 401, Y_PITCH = 39 };

typedef struct small {
    ivl_tensor x, w, y, rstd;
    ivl_node n;
    ivl_norm_attr a;
} small;

static void make_small(ivl_dtype t, ivl_buffer data, ivl_buffer stat, small *s)
{
    *s = (small){ .a = { 1e-6 } };
    s->x = ivl_tensor_make(t, 2, (int64_t[]){ ROWS, COLS });
    s->w = ivl_tensor_make(t, 1, (int64_t[]){ COLS });
    s->y = s->x;
    s->rstd = ivl_tensor_make(IVL_F32, 1, (int64_t[]){ ROWS });
    s->x.off = X_AT, s->x.pitch = X_PITCH, s->w.off = W_AT, s->y.off = Y_AT, s->y.pitch = Y_PITCH,
    s->rstd.off = 3;
    s->x.buf = s->w.buf = s->y.buf = data;
    s->rstd.buf = stat;
    s->n = (ivl_node){ .op = IVL_OP_rms_norm,
                       .n_in = 2,
                       .n_out = 2,
                       .attr = &s->a,
                       .attr_bytes = sizeof s->a,
                       .x = { &s->x, &s->w },
                       .y = { &s->y, &s->rstd } };
}

static void run_small(ivl_dtype t, int group, int vec, unsigned char *image, size_t bytes, float *stat)
{
    ivl_buffer b, r, none = { 0 };
    const ivl_impl *impl = &ivl_desc_rms_norm.impls[0];
    int param[IVL_MAX_PARAM] = { group, vec };
    ivl_prep *prep = NULL;
    small s;
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, bytes, &b));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, 64, &r));
    ok(ivl_write(stream, b, 0, bytes, image));
    make_small(t, b, r, &s);
    ck_assert(!impl->scratch);
    ok(impl->prepare(dev, &s.n, param, &prep));
    ok(impl->run(stream, &s.n, prep, none, 0));
    ok(ivl_read(stream, b, 0, bytes, image));
    ok(ivl_read(stream, r, 12, 4 * ROWS, stat));
    ivl_release(b), ivl_release(r);
    impl->destroy(prep);
}

static void check_small(ivl_dtype t, int group, int vec)
{
    enum { N = 620 };
    size_t bytes = ivl_dtype_bytes(t, N);
    unsigned char *a = malloc(bytes), *b = malloc(bytes);
    float stat[16] = { 0 }, got[ROWS];
    small s;
    for (int i = 0; i < N; i++) ivl_store(a, t, i, sin(i * 0.37) * 2);
    memcpy(b, a, bytes);
    run_small(t, group, vec, a, bytes, got);
    make_small(t, (ivl_buffer){ .host = b }, (ivl_buffer){ .host = stat }, &s);
    ok(ivl_ref64_rms_norm(&s.n));
    double tolerance = t == IVL_F32 ? 1e-6 : t == IVL_BF16 ? 0x1p-7 : 0x1p-10; /* one step of T near 2 */
    for (int i = 0; i < N; i++)
        ck_assert_msg(fabs(ivl_load(a, t, i) - ivl_load(b, t, i)) <=
                          tolerance * fmax(1, fabs(ivl_load(b, t, i))),
                      "%s, group %d: element %d is %g, not %g", ivl_dtype_name(t), group, i,
                      ivl_load(a, t, i), ivl_load(b, t, i));
    for (int i = 0; i < ROWS; i++) ck_assert(fabsf(got[i] - stat[3 + i]) <= 1e-6f * stat[3 + i]);
    free(a), free(b);
}

START_TEST(test_rms_norm)
{
    if (no_kernels()) return;
    static const ivl_dtype types[] = { IVL_F32, IVL_BF16, IVL_F16 };
    for (int i = 0; i < 3; i++) {
        check_small(types[i], 1, 16);
        check_small(types[i], 32, 1);
    }
}
END_TEST

START_TEST(test_same_bits)
{
    if (no_kernels()) return;
    enum { N = 620 };
    float x[N], first[N], again[N], stat[ROWS];
    for (int i = 0; i < N; i++) x[i] = (float)sin(i * 0.37);
    memcpy(first, x, sizeof x);
    run_small(IVL_F32, 1, 16, (unsigned char *)first, sizeof x, stat);
    for (int i = 0; i < 3; i++) {
        if (i == 2) reopen(); /* from the cache */
        memcpy(again, x, sizeof x);
        run_small(IVL_F32, 1, 16, (unsigned char *)again, sizeof x, stat);
        ck_assert(!memcmp(first, again, sizeof x));
    }
}
END_TEST

START_TEST(test_errors)
{
    if (no_kernels()) return;
    ivl_kernel *k = NULL;
    ck_assert(ivl_build(dev, "rms_norm", "rms_norm_fwd", "-DVEC=oops", &k) == IVL_EDEVICE);
    ck_assert_msg(strstr(ivl_last_error(), "rms_norm.cl: rms_norm_fwd") && strstr(ivl_last_error(), "oops"),
                  "%s", ivl_last_error());
    ck_assert(ivl_build(dev, "rms_norm", "no_such", "-DT_F32", &k) == IVL_EDEVICE);
    ck_assert(strstr(ivl_last_error(), "rms_norm.cl: no_such"));
    ck_assert(ivl_build(dev, "no_file", "f", "", &k) == IVL_EINVAL);
    ck_assert(strstr(ivl_last_error(), "no_file.cl"));
    ck_assert_ptr_null(k);
    ok(ivl_source_register("test_two.cl", "__kernel void two(int a, int b) {}\n"));
    ok(ivl_build(dev, "test_two", "two", "", &k));
    ivl_args a = { 0 };
    ivl_arg_int(&a, 1);
    ck_assert(ivl_enqueue(stream, k, 1, 1, 1, 1, &a) == IVL_EINVAL);
    ck_assert(strstr(ivl_last_error(), "test_two.cl: two takes 2 arguments, 1 were given"));
}
END_TEST

/* A buffer that is not there (an optional tensor) passes as NULL. */
START_TEST(test_empty_buffer)
{
    if (no_kernels()) return;
    static const char text[] = "#include \"dialect.h\"\n"
                               "KERNEL WG(1) void pick(TENSOR_IN(x), TENSOR_IN(z), TENSOR_OUT(y)) { "
                               "BEGIN(x); BEGIN(y); y[0] = z ? 1.0f : x[1]; }\n";
    ivl_kernel *k;
    ivl_buffer b;
    float v[4] = { 3, 4, 5, 6 };
    ok(ivl_source_register("test_pick.cl", text));
    ok(ivl_build(dev, "test_pick", "pick", "-DT_F32", &k));
    ok(ivl_alloc(dev, IVL_MEM_DEVICE, sizeof v, &b));
    ok(ivl_write(stream, b, 0, sizeof v, v));
    ivl_tensor x = { .buf = b, .off = 1 }, y = { .buf = b, .off = 3 };
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, &x), ivl_arg_tensor(&a, NULL), ivl_arg_tensor(&a, &y);
    ok(ivl_enqueue(stream, k, 1, 1, 1, 1, &a));
    ok(ivl_read(stream, b, 0, sizeof v, v));
    ck_assert(v[3] == 5);
    ivl_release(b);
}
END_TEST

START_TEST(test_cache_is_used)
{
    if (no_kernels()) return;
    char path[64][PATH_MAX];
    struct stat before, after;
    check_small(IVL_F32, 1, 16);
    ck_assert_int_eq(entries(path, 64), 1);
    ck_assert(!stat(path[0], &before));
    reopen();
    check_small(IVL_F32, 1, 16);
    ck_assert(!stat(path[0], &after) && before.st_ino == after.st_ino); /* not compiled and written again */
    check_small(IVL_F32, 1, 8);
    ck_assert_int_eq(entries(path, 64), 2);
}
END_TEST

/* Damage at many places: every time the source takes over, and the entry is made good. */
START_TEST(test_cache_is_damaged)
{
    if (no_kernels()) return;
    char path[64][PATH_MAX];
    check_small(IVL_F32, 1, 16);
    ck_assert_int_eq(entries(path, 64), 1);
    struct stat st;
    ck_assert(!stat(path[0], &st));
    const long long at[] = { 0, 9, 45, st.st_size - 1, -10, -st.st_size, -(st.st_size - 20) };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        if (at[i] < 0) {
            ck_assert(!truncate(path[0], st.st_size + at[i]));
        } else {
            FILE *f = fopen(path[0], "r+b");
            fseek(f, (long)at[i], SEEK_SET);
            int c = fgetc(f);
            fseek(f, (long)at[i], SEEK_SET);
            fputc(c ^ 0x10, f);
            fclose(f);
        }
        reopen();
        check_small(IVL_F32, 1, 16);
        struct stat now;
        ck_assert(!stat(path[0], &now) && now.st_size == st.st_size);
    }
}
END_TEST

START_TEST(test_cache_is_impossible)
{
    if (no_kernels()) return;
    setenv("IVL_CACHE_DIR", "/proc/no/such/place", 1);
    reopen();
    check_small(IVL_F32, 1, 16);
}
END_TEST

/* Many processes build the same kernels into one empty cache at once. */
START_TEST(test_many_processes)
{
    enum { N = 6 }; /* a driver does not survive fork: this process opens its device afterwards */
    pid_t pid[N];
    for (int i = 0; i < N; i++) {
        pid[i] = fork();
        ck_assert(pid[i] >= 0);
        if (pid[i]) continue;
        bool good = ivl_device_open(getenv("IVL_TEST_DEVICE"), &dev) == IVL_OK &&
                    ivl_stream_open(dev, &stream) == IVL_OK;
        for (int j = 0; good && !no_kernels() && j < 3; j++) {
            ivl_kernel *k;
            char defines[64];
            snprintf(defines, sizeof defines, "-DT_F32 -DWG_SIZE=1 -DVEC=%d", 1 << j);
            good = ivl_build(dev, "rms_norm", "rms_norm_bwd", defines, &k) == IVL_OK;
        }
        if (!good) fprintf(stderr, "%s\n", ivl_last_error());
        close_device();
        _exit(good ? 0 : 1);
    }
    for (int i = 0; i < N; i++) {
        int status;
        ck_assert(waitpid(pid[i], &status, 0) == pid[i]);
        ck_assert_int_eq(status, 0);
    }
    open_device();
    char path[64][PATH_MAX];
    int n = entries(path, 64);
    for (int i = 0; i < n; i++) ck_assert_msg(!strstr(path[i], ".tmp."), "%s was left", path[i]);
    ck_assert_int_eq(n, no_kernels() ? 0 : 3);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("kernels");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, own_cache_and_device, drop_cache);
    tcase_add_test(t, test_rms_norm);
    tcase_add_test(t, test_same_bits);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_empty_buffer);
    tcase_add_test(t, test_cache_is_used);
    tcase_add_test(t, test_cache_is_damaged);
    tcase_add_test(t, test_cache_is_impossible);
    TCase *many = tcase_create("many");
    tcase_set_timeout(many, 300);
    tcase_add_checked_fixture(many, own_cache, drop_cache);
    tcase_add_test(many, test_many_processes);
    return run_suite("kernels", t) | run_suite("many processes", many);
}
