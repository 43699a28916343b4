/* The command line's promises: exit status, where output goes, names of commands; ivl devices. */
#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/caps.h"
#include "tests/suite.h"

static char out[1 << 16], err[1 << 12];

static void slurp(const char *path, char *text, size_t n)
{
    FILE *f = fopen(path, "r");
    size_t got = f ? fread(text, 1, n - 1, f) : 0;
    text[got] = 0;
    if (f) fclose(f);
}

/* Runs ./ivl with these arguments; its exit status. */
static int ivl(const char *args)
{
    char line[512], dir[] = "/tmp/ivl-test-XXXXXX", o[64], e[64];
    ck_assert(mkdtemp(dir));
    snprintf(o, sizeof o, "%s/out", dir), snprintf(e, sizeof e, "%s/err", dir);
    snprintf(line, sizeof line, "./ivl %s >%s 2>%s", args, o, e);
    int status = system(line);
    slurp(o, out, sizeof out), slurp(e, err, sizeof err);
    unlink(o), unlink(e), rmdir(dir);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(test_help)
{
    ck_assert_int_eq(ivl("--help"), 0);
    ck_assert(strstr(out, "Usage: ivl COMMAND") && strstr(out, "devices") && !*err);
    ck_assert_int_eq(ivl("--version"), 0);
    ck_assert(!strncmp(out, "ivl (libivl) ", 13));
    ck_assert_int_eq(ivl("devices --help"), 0);
    ck_assert(strstr(out, "Usage: ivl devices"));
}
END_TEST

START_TEST(test_wrong_usage)
{
    ck_assert_int_eq(ivl(""), 2);
    ck_assert(!*out && strstr(err, "Usage"));
    ck_assert_int_eq(ivl("devcies"), 2);
    ck_assert(strstr(err, "did you mean 'ivl devices'?"));
    ck_assert_int_eq(ivl("xyzzy"), 2);
    ck_assert(strstr(err, "ivl --help"));
    ck_assert_int_eq(ivl("devices --no-such-option"), 2);
    ck_assert_int_eq(ivl("devices extra"), 2);
    ck_assert(strstr(err, "unexpected argument 'extra'"));
}
END_TEST

START_TEST(test_world_failed)
{
    ck_assert_int_eq(ivl("devices --device cuda:99 --save-caps /tmp/x"), 1);
    ck_assert(strstr(err, "ivl: "));
    ck_assert_int_eq(ivl("devices --device host --save-caps /no/such/folder/x"), 1);
    ck_assert(strstr(err, "/no/such/folder/x"));
    ck_assert_int_eq(WEXITSTATUS(system("./ivl devices >/dev/full 2>/dev/null")), 1);
}
END_TEST

START_TEST(test_data)
{
    ck_assert_int_eq(ivl("data"), 2);
    ck_assert_int_eq(ivl("data emoji"), 2);
    ck_assert(strstr(err, "--out DIR"));
    ck_assert_int_eq(ivl("data emoji --out /tmp/x --seed many"), 2);
    ck_assert_int_eq(ivl("data emoji --out /tmp/ivl-never --cldr /no/such"), 1);
    ck_assert(!*out && strstr(err, "apt-get install unicode-cldr-core"));
    ck_assert_int_eq(ivl("data check"), 2);
    ck_assert_int_eq(ivl("data check /no/such.tar"), 1);
    ck_assert(strstr(err, "/no/such.tar"));
    ck_assert_int_eq(ivl("merge --model x"), 2);
    ck_assert_int_eq(ivl("merge --model x --lora /no/such --out /tmp/ivl-never"), 1);
    ck_assert(strstr(err, "/no/such/adapter_config.json"));
    ck_assert_int_eq(ivl("tokenizer train --vocab 100"), 2);
    ck_assert_int_eq(ivl("tokenizer train --corpus /no/such.txt --out /tmp/ivl-never.model"), 1);
    ck_assert(strstr(err, "/no/such.txt"));
}
END_TEST

START_TEST(test_devices)
{
    ck_assert_int_eq(ivl("devices"), 0);
    ck_assert(strstr(out, "<- default") && strstr(out, "\nhost "));
    ck_assert_int_eq(ivl("devices --json"), 0);
    json_t *all = json_loads(out, 0, NULL), *d;
    size_t i;
    int defaults = 0, host = 0;
    ck_assert(json_is_array(all));
    json_array_foreach(all, i, d)
    {
        ck_assert(json_is_string(json_object_get(d, "spec")) && json_is_array(json_object_get(d, "features")));
        ck_assert(json_integer_value(json_object_get(d, "mem_bytes")) > 0);
        defaults += json_is_true(json_object_get(d, "default"));
        host += !strcmp(json_string_value(json_object_get(d, "spec")), "host");
    }
    ck_assert(defaults == 1 && host == 1);
    json_decref(all);
}
END_TEST

START_TEST(test_selftest)
{
    char dir[] = "/tmp/ivl-test-XXXXXX", args[160], path[64], text[512];
    ck_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/quirks", dir);
    snprintf(args, sizeof args, "selftest --device host --op add --size tiny --out %s", path);
    ck_assert_int_eq(ivl(args), 0);
    ck_assert(strstr(out, " passed, 0 failed"));
    slurp(path, text, sizeof text);
    ck_assert(!strncmp(text, "# host", 6));
    ck_assert_int_eq(ivl("selftest --device host --op no_such_op"), 1);
    ck_assert(strstr(err, "no_such_op"));
    ck_assert_int_eq(ivl("selftest --size huge"), 2);
    ck_assert_int_eq(ivl("selftest --timeout 0"), 2);
    ck_assert_int_eq(ivl("selftest --device opencl:77.0"), 1);
    unlink(path), rmdir(dir);
}
END_TEST

/* A chat model of the parity case answers, the same each time; usage and worlds that fail. */
START_TEST(test_chat)
{
    char dir[] = "/tmp/ivl-test-XXXXXX", line[900], args[400];
    static char first[sizeof out];
    ck_assert(mkdtemp(dir));
    for (const char *kind = "cd"; *kind; kind++) {
        snprintf(line, sizeof line, "cp -r %s/chat_%c %s/%c && cp %s/tokenizer.model %s/%c", source("tests/golden/odd"),
                 *kind, dir, *kind, source("tests/golden/odd"), dir, *kind);
        ck_assert_int_eq(system(line), 0);
        snprintf(args, sizeof args, "chat --device host --model %s/%c --max-new 5 --image %s what is this", dir, *kind,
                 source("tests/golden/images/cmyk.jpg"));
        ck_assert_msg(ivl(args) == 0, "%s", err);
        memcpy(first, out, sizeof first);
        ck_assert_int_eq(ivl(args), 0);
        ck_assert_str_eq(first, out);
    }
    ck_assert_int_eq(ivl("chat --device host hello"), 2);
    ck_assert(strstr(err, "--model"));
    snprintf(args, sizeof args, "chat --device host --model %s/c --template nothing hello", dir);
    ck_assert_int_eq(ivl(args), 1);
    ck_assert(strstr(err, "nothing"));
    snprintf(args, sizeof args, "chat --device host --model %s/c --image %s/no.png hello", dir, dir);
    ck_assert_int_eq(ivl(args), 1);
    ck_assert(strstr(err, "no.png"));
    remove_tree(dir);
}
END_TEST

START_TEST(test_save_caps)
{
    char dir[] = "/tmp/ivl-test-XXXXXX", path[64], args[128], spec[32];
    ivl_caps c;
    ck_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/caps", dir);
    snprintf(args, sizeof args, "devices -d check:host --save-caps %s", path);
    ck_assert_int_eq(ivl(args), 0);
    ck_assert(strstr(err, "device: check:host"));
    ck_assert_msg(ivl_caps_load(path, spec, &c) == IVL_OK, "%s", ivl_last_error());
    ck_assert_str_eq(spec, "check:host");
    ck_assert(c.features & IVL_CAP_CHECK);
    unlink(path), rmdir(dir);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("cli");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_help);
    tcase_add_test(t, test_wrong_usage);
    tcase_add_test(t, test_world_failed);
    tcase_add_test(t, test_data);
    tcase_add_test(t, test_devices);
    tcase_add_test(t, test_selftest);
    tcase_add_test(t, test_chat);
    tcase_add_test(t, test_save_caps);
    return run_suite("cli", t);
}
