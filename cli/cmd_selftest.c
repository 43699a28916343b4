/* ivl selftest: every op on the user's own device, compared with the reference; what fails goes into the quirk file,
 * which the planner heeds. Each op runs in a child process; if the driver crashes or hangs, another child goes on
 * behind that comparison, without the implementation and storage type that did it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/model_args.h"
#include "ops/quirks.h"
#include "runtime/file.h"
#include "tests/ops/cases.h"

typedef struct options {
    const char *device, *op, *out;
    ivl_case_size size;
    unsigned timeout; /* seconds */
    bool verbose;
} options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const sizes[] = { "tiny", "normal", "large" };
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device; break;
    case 'p': o->op = arg; break;
    case 'o': o->out = arg; break;
    case 'v': o->verbose = true; break;
    case 't': o->timeout = (unsigned)cli_positive(state, arg, "--timeout"); break;
    case 's':
        for (o->size = IVL_TINY; o->size <= IVL_LARGE && strcmp(sizes[o->size], arg);) o->size++;
        if (o->size > IVL_LARGE) cli_usage(state, "--size takes tiny, normal or large, not %s", arg);
        break;
    case ARGP_KEY_ARG: cli_usage(state, "unexpected argument '%s'", arg); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option rows[] = {
    { "op", 'p', "NAME", 0, "This op only; then no quirk file is written unless --out names one", 0 },
    { "size", 's', "SIZE", 0, "Shapes to run: tiny, normal (default), large", 0 },
    { "out", 'o', "FILE", 0, "Write the quirk file here instead of the cache folder", 0 },
    { "timeout", 't', "SECONDS", 0, "One comparison may take this long (default 600)", 0 },
    { "verbose", 'v', NULL, 0, "Print every comparison, not only the failed ones", 0 },
    { 0 },
};
static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Runs every op, in every implementation and storage type, on a device and compares it with the reference.\v"
    "An implementation passes if it is off by at most twice what a plain loop in the same storage type is off by, and "
    "writes nothing but its result. What fails is printed, and kept in the device's quirk file: from then on plans for "
    "this device avoid it. If the driver crashes or does not come back, what was running failed, and its "
    "implementation is not run again in that storage type. Exit status 0: nothing failed; 1: something did.",
    children, NULL, NULL,
};

/* --- in the child: results as lines, to the parent --------------------------------------------------------------- */

typedef struct tally {
    int   passed, failed;
    char *quirks;  /* the file's lines so far */
    char *dead;    /* those of them where the driver did not survive */
    int   seen;    /* comparisons begun, of the op at work */
    char *running; /* the last of them, malloc'd */
    bool  ended;   /* the child said that it was through */
} tally;

typedef struct wire {
    FILE *to;
    unsigned timeout;
    int at, seen; /* comparisons until now; those of earlier children */
    ivl_quirks dead;
} wire;

/* KIND TEXT; what a driver says may have lines of its own, such as those of its compiler. */
static void say_line(FILE *to, char kind, char *text)
{
    for (char *c = text; (c = strpbrk(c, "\r\n"));) *c = ' ';
    fprintf(to, "%c%s\n", kind, text);
}

static void say(FILE *to, char kind, const ivl_case_result *r)
{
    const char *type = r->node ? ivl_quirks_type(r->node) : ivl_dtype_name(r->dtype);
    char text[768];
    int n = snprintf(text, sizeof text, "%s %s # %s", r->impl, type, r->c->name);
    if (kind != '?')
        snprintf(text + n, sizeof text - (size_t)n, ": error %.3g of %.3g%s%s", r->error, r->allowed,
                 r->ok ? "" : ": ", r->message);
    say_line(to, kind, text);
}

/* The alarm ends this process if the driver does not come back. */
static bool before(void *user, const ivl_case_result *r)
{
    wire *l = user;
    if (l->at++ < l->seen) return false;
    say(l->to, '?', r);
    fflush(l->to);
    alarm(l->timeout);
    return !ivl_quirks_has(&l->dead, r->impl, r->node);
}

static void report(void *user, const ivl_case_result *r)
{
    const wire *l = user;
    alarm(0);
    say(l->to, r->ok ? '+' : '-', r);
}

static ivl_status run_here(const options *o, const ivl_case_list *list, int op, wire *l)
{
    ivl_device *dev = NULL;
    ivl_case_options c = { .op = op, .size = o->size, .before = before, .report = report, .user = l };
    alarm(o->timeout);
    IVL_TRY(ivl_device_open(o->device, &dev));
    alarm(0);
    ivl_status s = ivl_cases_run(list, dev, &c);
    alarm(o->timeout);
    ivl_device_close(dev);
    return s;
}

static void be_child(const options *o, const ivl_case_list *list, int op, const tally *t, int fd)
{
    wire l = { fdopen(fd, "w"), o->timeout, 0, t->seen, { t->dead } };
    if (!l.to) _exit(1);
    ivl_status s = run_here(o, list, op, &l);
    char text[768];
    snprintf(text, sizeof text, "%s", s == IVL_OK ? "" : ivl_last_error());
    say_line(l.to, s == IVL_OK ? '.' : '!', text);
    fclose(l.to);
    _exit(0);
}

/* --- in the parent ----------------------------------------------------------------------------------------------- */

static ivl_status append(char **text, const char *line)
{
    size_t n = *text ? strlen(*text) : 0;
    char *more = realloc(*text, n + strlen(line) + 2);
    IVL_CHECK(more, IVL_ENOMEM, "out of memory");
    sprintf(more + n, "%s\n", line);
    *text = more;
    return IVL_OK;
}

static ivl_status fail_line(tally *t, const char *line)
{
    t->failed++;
    printf("FAIL  %s\n", line);
    return append(&t->quirks, line);
}

static ivl_status hear(tally *t, const options *o, char *line)
{
    line[strcspn(line, "\n")] = 0;
    switch (*line) {
    case '?':
        t->seen++;
        free(t->running);
        t->running = strdup(line + 1);
        return t->running ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    case '+':
        t->passed++;
        if (o->verbose) printf("ok    %s\n", line + 1);
        return IVL_OK;
    case '-': return fail_line(t, line + 1);
    case '.': t->ended = true; return IVL_OK;
    default: return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "%s", line + 1);
    }
}

/* Why a child ended without a word: a driver may crash, hang or call exit. */
static void how(int status, unsigned timeout, char text[96])
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(text, 96, "the driver did not come back within %u s", timeout);
    else if (WIFSIGNALED(status)) snprintf(text, 96, "the driver crashed (signal %d)", WTERMSIG(status));
    else snprintf(text, 96, "the driver ended the process (exit status %d)", WEXITSTATUS(status));
}

/* What was running when a child ended with this status. */
static ivl_status bury(tally *t, const char *why)
{
    size_t size = strlen(t->running) + strlen(why) + 3;
    char *line = malloc(size);
    IVL_CHECK(line, IVL_ENOMEM, "out of memory");
    snprintf(line, size, "%s: %s", t->running, why);
    ivl_status s = fail_line(t, line);
    if (s == IVL_OK) s = append(&t->dead, line);
    free(line);
    return s;
}

/* A child that was through and then crashed, at the driver's own end, failed at nothing. */
static ivl_status hear_child(tally *t, const options *o, FILE *from, pid_t pid, const char *op)
{
    char *line = NULL, why[96];
    size_t size = 0;
    int status = 0, seen = t->seen;
    ivl_status s = IVL_OK;
    while (s == IVL_OK && getline(&line, &size, from) > 0) s = hear(t, o, line);
    fclose(from);
    free(line);
    waitpid(pid, &status, 0);
    if (s != IVL_OK || t->ended) return s;
    how(status, o->timeout, why);
    IVL_CHECK(t->seen > seen, IVL_EDEVICE, "%s: before a kernel ran, %s", op, why);
    return bury(t, why);
}

/* In one child, from comparison t->seen on. */
static ivl_status run_child(tally *t, const options *o, const ivl_case_list *list, int op)
{
    int end[2];
    IVL_CHECK(!pipe(end), IVL_EIO, "no pipe for a child process");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(end[0]);
        be_child(o, list, op, t, end[1]);
    }
    close(end[1]);
    FILE *from = pid > 0 ? fdopen(end[0], "r") : NULL;
    if (!from) close(end[0]);
    IVL_CHECK(from, IVL_EIO, "no child process");
    return hear_child(t, o, from, pid, ivl_op_get(op)->name);
}

static ivl_status run_op(tally *t, const options *o, const ivl_case_list *list, int op)
{
    ivl_status s = IVL_OK;
    t->seen = 0, t->ended = false;
    while (s == IVL_OK && !t->ended) s = run_child(t, o, list, op);
    return s;
}

static ivl_status run_all(tally *t, const options *o)
{
    ivl_case_list *list = NULL;
    cli_progress p;
    int found = 0;
    ivl_status s = ivl_cases_create(&list);
    cli_progress_begin(&p, "selftest", ivl_op_count(), 0);
    for (int op = 0; op < ivl_op_count() && s == IVL_OK; op++) {
        if (!ivl_op_get(op) || (o->op && strcmp(o->op, ivl_op_get(op)->name))) continue;
        found++;
        cli_progress_step(&p, op, ivl_op_get(op)->name);
        s = run_op(t, o, list, op);
    }
    cli_progress_end(&p);
    ivl_cases_destroy(list);
    IVL_CHECK(s != IVL_OK || found, IVL_EINVAL, "there is no op '%s': include/ivl/ops.def lists them", o->op);
    return s;
}

/* --- the quirk file ---------------------------------------------------------------------------------------------- */

typedef struct device { char spec[32]; ivl_caps caps; } device;

/* Asks a child for it: the parent never touches a driver. */
static ivl_status look_up(const options *o, device *d)
{
    int end[2], status = 0;
    char text[512] = "";
    IVL_CHECK(!pipe(end), IVL_EIO, "no pipe for a child process");
    pid_t pid = fork();
    if (pid == 0) {
        ivl_device *dev = NULL;
        device found = { 0 };
        alarm(o->timeout);
        bool ok = ivl_device_open(o->device, &dev) == IVL_OK;
        if (ok) found.caps = *ivl_device_caps(dev), memcpy(found.spec, dev->spec, sizeof found.spec);
        else snprintf(text, sizeof text, "%s", ivl_last_error());
        size_t n = ok ? sizeof found : sizeof text;
        _exit(write(end[1], ok ? (const void *)&found : text, n) == (ssize_t)n ? !ok : 2);
    }
    close(end[1]);
    char reply[sizeof *d > sizeof text ? sizeof *d : sizeof text] = { 0 };
    ssize_t n = pid > 0 ? read(end[0], reply, sizeof reply) : 0;
    close(end[0]);
    if (pid > 0) waitpid(pid, &status, 0);
    IVL_CHECK(pid > 0, IVL_EIO, "no child process");
    char why[96];
    how(status, o->timeout, why);
    IVL_CHECK(WIFEXITED(status) && n > 0, IVL_EDEVICE, "when the device was opened, %s", why);
    if (WEXITSTATUS(status) == 0) memcpy(d, reply, sizeof *d);
    reply[sizeof text - 1] = 0;
    return WEXITSTATUS(status) == 0 ? IVL_OK : ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "%s", reply);
}

static ivl_status write_quirks(const char *path, const device *d, const tally *t)
{
    char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
    ivl_out_file out;
    if (slash) *slash = 0;
    ivl_status s = slash && *dir ? ivl_make_dirs(dir) : IVL_OK;
    free(dir);
    if (s == IVL_OK) s = ivl_out_open(path, &out);
    if (s != IVL_OK) return s;
    fprintf(out.f, "# %s (%s): %d comparisons passed, %d failed\n%s", d->caps.name, d->caps.driver, t->passed,
            t->failed, t->quirks ? t->quirks : "");
    return ivl_out_commit(&out);
}

static ivl_status keep(const options *o, const device *d, const tally *t)
{
    char *usual = ivl_quirks_path(&d->caps);
    const char *path = o->out ? o->out : o->op ? NULL : usual;
    ivl_status s = path ? write_quirks(path, d, t) : IVL_OK;
    if (s == IVL_OK && path && t->failed) printf("quirk file: %s\n", path);
    free(usual);
    return s;
}

int cmd_selftest(int argc, char **argv)
{
    options o = { .size = IVL_NORMAL, .timeout = 600 };
    tally t = { 0 };
    device d;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = look_up(&o, &d);
    if (s == IVL_OK) fprintf(stderr, "device: %s, %s\n", d.spec, d.caps.name);
    if (s == IVL_OK) s = run_all(&t, &o);
    if (s == IVL_OK) s = keep(&o, &d, &t);
    if (s == IVL_OK) printf("%d passed, %d failed\n", t.passed, t.failed);
    free(t.quirks), free(t.dead), free(t.running);
    if (s != IVL_OK) return cli_failed();
    return cli_done() != CLI_OK || t.failed ? CLI_FAILED : CLI_OK;
}
