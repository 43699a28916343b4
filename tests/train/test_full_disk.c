/* A disk that fills up, played by the limit on the size of a file: one message names the file, no half-written file
 * stays, what was there before is untouched, and a run goes on to the same bits once there is room. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/file.h"
#include "tests/suite.h"

static char dir[] = "/tmp/ivl-full-XXXXXX";
static char here[2048];

static const char *at(const char *name)
{
    static char text[4][256];
    static int turn;
    char *t = text[turn++ & 3];
    snprintf(t, sizeof text[0], "%s/%s", dir, name);
    return t;
}

static char *bytes_of(const char *name, size_t *n_p)
{
    char *data = NULL;
    ck_assert_msg(ivl_read_file(at(name), 0, &data, n_p) == IVL_OK, "%s", ivl_last_error());
    return data;
}

static bool is_there(const char *name) { return !access(at(name), F_OK); }

static int shell(const char *line) { return WEXITSTATUS(system(line)); }

/* --- a command on a full disk ------------------------------------------------------------------------------------- */

static char err[4096];

static void child(const char *line, long limit, int fd)
{
    struct rlimit r = { (rlim_t)limit, (rlim_t)limit };
    int null = open("/dev/null", O_WRONLY);
    if ( null < 0 || dup2(null, 1) < 0 || dup2(fd, 2) < 0) _exit(126);
    signal(SIGXFSZ, SIG_IGN); /* then writing says EFBIG, as a full disk says ENOSPC */
    if (limit && setrlimit(RLIMIT_FSIZE, &r)) _exit(126);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

/* ./ivl ARGS, with $D the test's folder, when no file may grow beyond `limit` bytes (0: any); its exit status. */
static int ivl(long limit, const char *args)
{
    char line[1024];
    int status, end[2];
    snprintf(line, sizeof line, "./ivl %s", args);
    ck_assert_int_eq(pipe(end), 0); /* a pipe has no limit */
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid) child(line, limit, end[1]);
    close(end[1]);
    size_t n = 0;
    for (ssize_t got; n < sizeof err - 1 && (got = read(end[0], err + n, sizeof err - 1 - n)) > 0;) n += (size_t)got;
    err[n] = 0;
    close(end[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It ended with status 1 and one line of error, about this file. */
static void fails(long limit, const char *args, const char *file)
{
    int status = ivl(limit, args), n = 0;
    ck_assert_msg(status == 1, "status %d: %s", status, err);
    char *copy = strdup(err), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!*line || !strncmp(line, "device: ", 8)) continue;
        ck_assert_msg(!n++ && !strncmp(line, "ivl: ", 5), "not one line of error: %s", err);
    }
    ck_assert_msg(strstr(err, file) && strstr(err, strerror(EFBIG)), "not about %s: %s", file, err);
    free(copy);
    ck_assert_msg(!shell("test -z \"$(find $D -name '*.tmp*')\""), "a half file is left: %s", err);
}

/* --- something to train on ---------------------------------------------------------------------------------------- */

#define TRAIN "train $D/recipe.yaml --device host --out "

static void write_recipe(void)
{
    FILE *f = fopen(at("recipe.yaml"), "w"), *t = fopen(at("list.csv"), "w");
    ck_assert(f && t);
    fprintf(f, "model: tiny\nsteps: 8\nbatch: 4\ntext_len: 16\nimage_size: 28\nlow_size: 28\nlow_steps: 5\nwarmup: 2\n"
               "checkpoint_every: 3\ndata: %s\ntokenizer: %s/tests/golden/odd/tokenizer.model\n", at("list.csv"), here);
    static const char *const picture[] = { "rgb8.png", "gray8.png", "rgba8.png", "rgb444.jpg", "palette8.png" };
    fprintf(t, "path,caption\n");
    for (int i = 0; i < 5; i++) fprintf(t, "%s/tests/golden/images/%s,a picture of kind %d\n", here, picture[i], i);
    ck_assert(!fclose(f) && !fclose(t));
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_ptr_nonnull(realpath(source("."), here));
    setenv("D", dir, 1);
    write_recipe();
    FILE *f = fopen(at("texts"), "w");
    for (int i = 0; i < 200; i++) fprintf(f, "a cat\n");
    for (int i = 0; i < 3000; i++) fputs("cat ", f);
    ck_assert_int_eq(fclose(f), 0);
    f = fopen(at("words"), "w");
    for (int i = 0; i < 20; i++) fprintf(f, "the quick brown fox jumps over the lazy dog, packs my box with jugs\n");
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_msg(ivl(0, TRAIN "$D/whole") == 0, "%s", err);
}

static void teardown(void) { remove_tree(dir); }

/* --- training ----------------------------------------------------------------------------------------------------- */

static void same_bytes(const char *a, const char *b)
{
    size_t n, m;
    char *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    ck_assert_msg(n == m && !memcmp(x, y, n), "%s and %s differ", a, b);
    free(x), free(y);
}

static long size_of(const char *name)
{
    struct stat st;
    ck_assert_int_eq(stat(at(name), &st), 0);
    return (long)st.st_size;
}

#define STEP3 "part/checkpoints/step-00000003"

/* The run of two days: only its checkpoint after step 3 is there. */
static void make_part(void)
{
    ck_assert_int_eq(shell("rm -rf $D/part $D/early; cp -r $D/whole $D/part; rm -r $D/part/model $D/part/run.json "
                           "$D/part/checkpoints/*"), 0);
    ck_assert_msg(ivl(0, TRAIN "$D/early --set checkpoint_keep=9") == 0, "%s", err);
    ck_assert_int_eq(shell("mv $D/early/checkpoints/step-00000003 $D/part/checkpoints/"), 0);
    ck_assert_int_eq(shell("cp -r $D/part/checkpoints/step-00000003 $D/kept"), 0);
}

static void check_kept(void)
{
    ck_assert_int_eq(shell("test \"$(ls $D/part/checkpoints)\" = step-00000003"), 0);
    ck_assert_int_eq(shell("diff -r $D/part/checkpoints/step-00000003 $D/kept"), 0);
}

START_TEST(a_checkpoint_that_does_not_fit)
{
    make_part();
    long weights = size_of(STEP3 "/weights.safetensors");
    const struct { long limit; const char *file; } disk[] = {
        { 100, "part/recipe.yaml" },
        { weights / 2, "part/checkpoints/step-00000006.tmp/weights.safetensors" },
        { weights - 1, "part/checkpoints/step-00000006.tmp/weights.safetensors" },
        { 20000, "part/checkpoints/step-00000006.tmp/weights.safetensors" },
    };
    for (size_t i = 0; i < sizeof disk / sizeof *disk; i++) {
        fails(disk[i].limit, TRAIN "$D/part --resume", disk[i].file);
        check_kept();
        ck_assert(!is_there("part/model") && !is_there("part/run.json"));
    }
    ck_assert_msg(ivl(0, TRAIN "$D/part --resume") == 0, "%s", err);
    same_bytes("whole/model/model.safetensors", "part/model/model.safetensors");
    same_bytes("whole/model/tokenizer.model", "part/model/tokenizer.model");
#define LAST "/checkpoints/step-00000008/moment2.safetensors"
    same_bytes("whole" LAST, "part" LAST);
}
END_TEST

/* Metrics grow until they do not fit: the steps of that session are lost, the run is not. */
START_TEST(metrics_that_do_not_fit)
{
    fails(1500, TRAIN "$D/new", "new/");
    ck_assert_int_eq(shell("test -z \"$(ls $D/new/checkpoints)\""), 0);
    ck_assert_msg(ivl(0, TRAIN "$D/new --resume") == 0, "%s", err);
    same_bytes("whole/model/model.safetensors", "new/model/model.safetensors");
}
END_TEST

START_TEST(a_model_that_does_not_fit)
{
    fails(1000, TRAIN "$D/rec --record $D/record", "record/initial/");
    ck_assert(!is_there("record/initial/model.safetensors"));
}
END_TEST

/* --- other writers ------------------------------------------------------------------------------------------------ */

#define EMBED "embed --device host --model $D/whole/model "

START_TEST(embed)
{
    fails(4096, EMBED "--texts $D/texts --out $D/x.npy", "x.npy");
    ck_assert(!is_there("x.npy") && !is_there("x.names"));
    /* the names do not fit, the rows would: neither stays, nor do they replace older ones */
    ck_assert_msg(ivl(0, EMBED "--images $D/list.csv --out $D/x.npy") == 0, "%s", err);
    ck_assert_int_eq(shell("cp $D/x.npy $D/old.npy; cp $D/x.names $D/old.names; tail -n 1 $D/texts >$D/long"), 0);
    fails(8000, EMBED "--texts $D/long --out $D/x.npy", "x.names");
    same_bytes("x.npy", "old.npy"), same_bytes("x.names", "old.names");
}
END_TEST

START_TEST(scores_and_reports)
{
    fails(100, "eval retrieval --device host --model $D/whole/model --data $D/list.csv --out $D/x.json", "x.json");
    fails(2000,
          "eval retrieval --device host --model $D/whole/model --data $D/list.csv --out $D/y.json --examples $D/e.json",
          "e.json");
    fails(1000, "report $D/whole --out $D/x.html", "x.html");
    fails(100, "devices --device host --save-caps $D/x.caps", "x.caps");
    fails(1000, "tokenizer train --corpus $D/words --vocab 300 --out $D/x.model", "x.model");
    static const char *const none[] = { "x.json", "e.json", "x.html", "x.caps", "x.model" };
    for (int i = 0; i < 5; i++) ck_assert_msg(!is_there(none[i]), "%s is left", none[i]);
}
END_TEST

START_TEST(emoji)
{
    if (access("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", R_OK) || access("/usr/share/unicode/cldr", R_OK))
        return; /* they are no part of the library */
    fails(100000, "data emoji --languages en --held-out de --out $D/emoji", "emoji/");
    ck_assert_int_eq(shell("test -z \"$(find $D/emoji -type f)\""), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("full disk");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, a_checkpoint_that_does_not_fit);
    tcase_add_test(t, metrics_that_do_not_fit);
    tcase_add_test(t, a_model_that_does_not_fit);
    tcase_add_test(t, embed);
    tcase_add_test(t, scores_and_reports);
    tcase_add_test(t, emoji);
    return run_suite("full disk", t);
}
