/* Bad input of every kind through the real command: its exit status, one line of error that names the file, option or
 * key, and nothing left where output was to go. Under a sanitizer its reports change the status. */
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/file.h"
#include "tests/cli/bad_files.h"
#include "tests/suite.h"

typedef struct bad { const char *kind; int status; const char *args, *want; } bad;

static const bad table[] = {
#define BAD(...) { __VA_ARGS__ },
#include "tests/cli/bad_input.def"
#undef BAD
};
enum { KINDS = sizeof table / sizeof *table };

static char dir[] = "/tmp/ivl-bad-XXXXXX";

/* What the shell puts into arguments. */
static void set_words(void)
{
    char text[512];
    setenv("D", dir, 1);
    snprintf(text, sizeof text, "%s/out", dir), setenv("O", text, 1);
    snprintf(text, sizeof text, "--device host --model %s", dir), setenv("E", text, 1);
    snprintf(text, sizeof text, "--device host --model %s/good", dir), setenv("G", text, 1);
    snprintf(text, sizeof text, "train --device host --out %s/run", dir), setenv("T", text, 1);
    setenv("Z", "eval zeroshot $G --data $D/classes --out $O/x.json", 1);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    bad_files_make(dir);
    set_words();
}

static void teardown(void) { remove_tree(dir); }

/* Runs a shell's line; its exit status. *err_p: its stderr, to be freed. */
static int run(const char *line, char **err_p)
{
    char path[64], all[1200];
    snprintf(path, sizeof path, "%s/stderr", dir);
    snprintf(all, sizeof all, "exec 2>%s; cd . && %s", path, line);
    int status = system(all);
    ck_assert_int_eq(ivl_read_file(path, 0, err_p, NULL), IVL_OK);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One line of error and, before it, which device it is. */
static void check_message(const bad *b, char *err)
{
    int n = 0;
    char *message = NULL, *whole = strdup(err), *rest = err;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!*line || !strncmp(line, "device: ", 8)) continue;
        if (n++ == 0) message = line;
    }
    ck_assert_msg(n == 1 && !strncmp(message, "ivl: ", 5), "%s: not one line of error:\n%s", b->kind, whole);
    ck_assert_msg(strstr(message, b->want), "%s: nothing of '%s' in:\n%s", b->kind, b->want, whole);
    free(whole);
}

START_TEST(says_so)
{
    const bad *b = &table[_i];
    char line[1024], *err = NULL;
    if (!geteuid() && strstr(b->args, "locked")) return; /* root reads everything */
    ck_assert_int_eq(run("rm -rf $O", &err), 0);
    free(err);
    put_folder("out");
    bool redirected = strchr(b->args, '>');
    snprintf(line, sizeof line, "eval ./ivl %s %s", b->args, redirected ? "" : ">/dev/null");
    int status = run(line, &err);
    ck_assert_msg(status == b->status, "%s: status %d, not %d:\n%s", b->kind, status, b->status, err);
    check_message(b, err);
    free(err);
    ck_assert_msg(rmdir(at("out")) == 0, "%s: something is left in the output folder", b->kind);
    ck_assert_msg(run("test -z \"$(find $D -name '*.tmp*')\"", &err) == 0, "%s: a half file is left", b->kind);
    free(err);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("bad input");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, says_so, 0, KINDS);
    return run_suite("bad input", t);
}
