/* Files are whole or not there; capabilities as a file. */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/caps.h"
#include "runtime/file.h"
#include "runtime/machine.h"
#include "tests/suite.h"

#define ok(call) ck_assert_msg((call) == IVL_OK, "%s: %s", #call, ivl_last_error())

static char dir[64], path[PATH_MAX];

static void make_dir(void)
{
    strcpy(dir, "/tmp/ivl-test-XXXXXX");
    ck_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void drop_dir(void)
{
    DIR *d = opendir(dir);
    char p[PATH_MAX];
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(p, sizeof p, "%s/%s", dir, e->d_name);
        unlink(p);
    }
    closedir(d);
    rmdir(dir);
}

static void put(const char *text)
{
    ivl_out_file out;
    ok(ivl_out_open(path, &out));
    fputs(text, out.f);
    ok(ivl_out_commit(&out));
}

static void expect(const char *text)
{
    char *data;
    size_t n;
    ok(ivl_read_file(path, 0, &data, &n));
    ck_assert(n == strlen(text) && !strcmp(data, text));
    free(data);
}

START_TEST(test_replaced_or_not)
{
    ivl_out_file out;
    put("one");
    ok(ivl_out_open(path, &out));
    fputs("two", out.f), fflush(out.f);
    expect("one"); /* until the end */
    ok(ivl_out_commit(&out));
    expect("two");
    ok(ivl_out_open(path, &out));
    fputs("three", out.f);
    ivl_out_abandon(&out);
    expect("two");
    ck_assert_int_eq(files(), 1);
    ivl_out_abandon(&(ivl_out_file){ 0 });
}
END_TEST

/* A pipe, as a device would be, stays what it is. */
START_TEST(test_special)
{
    ivl_out_file out = { 0 };
    struct stat st;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(ivl_out_open(path, &out), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), path));
    ck_assert(!stat(path, &st) && S_ISFIFO(st.st_mode));
    ck_assert_int_eq(files(), 1);
}
END_TEST

/* Killed in the middle: the old content stays. */
START_TEST(test_killed)
{
    put("old");
    pid_t pid = fork();
    if (!pid) {
        ivl_out_file out;
        if (ivl_out_open(path, &out) != IVL_OK) _exit(1);
        for (int i = 0; i < 100000; i++) fputs("new", out.f);
        fflush(out.f);
        raise(SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert(WIFSIGNALED(status));
    expect("old");
}
END_TEST

/* A full disk, played by a limit on the file's size. */
START_TEST(test_full)
{
    put("old");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit l = { 4096, RLIM_INFINITY };
    ck_assert(!setrlimit(RLIMIT_FSIZE, &l));
    ivl_out_file out;
    ok(ivl_out_open(path, &out));
    for (int i = 0; i < 10000; i++) fputs("new", out.f);
    ck_assert(ivl_out_commit(&out) == IVL_EIO);
    ck_assert(strstr(ivl_last_error(), path));
    expect("old");
    ck_assert_int_eq(files(), 1);
}
END_TEST

START_TEST(test_bad_paths)
{
    ivl_out_file out;
    ivl_map map;
    char *data = NULL;
    ck_assert(ivl_out_open("/no/such/folder/file", &out) == IVL_EIO);
    ck_assert(strstr(ivl_last_error(), "/no/such/folder/file"));
    ck_assert(ivl_read_file(path, 0, &data, NULL) == IVL_EIO && strstr(ivl_last_error(), path));
    ck_assert(ivl_read_file(dir, 0, &data, NULL) == IVL_EIO);
    ck_assert(ivl_map_open(path, &map) == IVL_EIO);
    put("0123456789");
    ck_assert(ivl_read_file(path, 9, &data, NULL) == IVL_EFORMAT && !data);
    ok(ivl_map_open(path, &map));
    ck_assert(map.bytes == 10 && !memcmp(map.data, "0123456789", 10));
    ivl_map_close(&map);
    char deep[PATH_MAX];
    snprintf(deep, sizeof deep, "%s/file/x", dir);
    ck_assert(ivl_make_dirs(deep) == IVL_EIO);
    put("");
    ok(ivl_map_open(path, &map));
    ivl_map_close(&map);
}
END_TEST

START_TEST(test_caps)
{
    ivl_caps c = { .name = "a device, 2 words",
                   .arch = "cpu",
                   .driver = "d 1.0",
                   .wave = 3,
                   .max_group = 4,
                   .units = 5,
                   .vec_f32 = 8,
                   .local_bytes = 7,
                   .mem_bytes = (size_t)1 << 40,
                   .max_alloc = 9,
                   .align = 128,
                   .features = IVL_CAP_HOST_MEMORY | IVL_CAP_CHECK };
    ivl_caps d;
    char spec[32];
    ok(ivl_caps_save(path, "opencl:0.0", &c));
    memset(&d, 0, sizeof d);
    ok(ivl_caps_load(path, spec, &d));
    ck_assert_str_eq(spec, "opencl:0.0");
    ck_assert(!memcmp(&c, &d, sizeof c));
}
END_TEST

START_TEST(test_bad_caps)
{
    static const char head[] = "# libivl: capabilities of a device\n";
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "wave 1\n", "not a capabilities file" },
        { "\377\n", "not a capabilities file" },
        { "@wave x\n", ":2: wave is 'x'" },
        { "@\nwave 9999999999\n", ":3: wave" },
        { "@what 1\n", ":2: unknown key 'what'" },
        { "@features gpu fast\n", "unknown feature 'fast'" },
        { "@spec host\n", "'name' is missing" },
        { "@spec\n", "bad device" },
        { "@align -1\n", "align is '-1'" },
        { "@mem_bytes 99999999999999999999999\n", "mem_bytes" },
        { "@arch 0123456789012345678901234567890123456789\n", "longer than 31" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256], spec[32];
        ivl_caps c;
        snprintf(text, sizeof text, "%s%s", bad[i].text[0] == '@' ? head : "",
                 bad[i].text + (bad[i].text[0] == '@'));
        put(text);
        ck_assert(ivl_caps_load(path, spec, &c) == IVL_EFORMAT);
        ck_assert_msg(strstr(ivl_last_error(), bad[i].says) && strstr(ivl_last_error(), path), "%s",
                      ivl_last_error());
    }
}
END_TEST

START_TEST(test_machine)
{
    char flags[8192];
    size_t room = ivl_machine_memory();
    ck_assert(room > 1 << 20 && room <= (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE));
    ck_assert(!strncmp(ivl_machine_arch(), "cpu", 3));
    ivl_machine_flags(flags, sizeof flags);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, make_dir, drop_dir);
    tcase_add_test(t, test_replaced_or_not);
    tcase_add_test(t, test_special);
    tcase_add_test(t, test_killed);
    tcase_add_test(t, test_full);
    tcase_add_test(t, test_bad_paths);
    tcase_add_test(t, test_caps);
    tcase_add_test(t, test_bad_caps);
    tcase_add_test(t, test_machine);
    return run_suite("files", t);
}
