/* Configuration tables: every source, what is refused with which words, and that a printed configuration
 * reads back. */
#include <locale.h>
#include <math.h>
#include <stddef.h>

#include "runtime/conf.h"
#include "runtime/file.h"
#include "tests/suite.h"

typedef struct settings {
    int64_t       steps;
    double        rate, beta;
    bool          flip;
    char         *data, *rule;
    ivl_conf_list words, some;
} settings;

#define ROW(key_, type_, field_, def_, ...)                                                              \
    { .key = key_, .type = IVL_CONF_##type_, .off = offsetof(settings, field_), .def = def_,             \
      .help = "a thing", __VA_ARGS__ }
static const ivl_conf_row rows[] = {
    ROW("steps", INT, steps, "1000", .lo = 1, .hi = 1e9),
    ROW("optim.rate", DOUBLE, rate, "1e-3", .lo = 0, .hi = 1),
    ROW("optim.beta", DOUBLE, beta, "0.95", .lo = 0),
    ROW("flip", BOOL, flip, "false", .lo = 0),
    ROW("data", STRING, data, "", .lo = 0),
    ROW("rule", ENUM, rule, "uniform", .choices = "uniform linear"),
    ROW("words", LIST, words, "a, b", .lo = 0),
    ROW("some", LIST, some, "", .choices = "one two"),
};
enum { N = sizeof rows / sizeof *rows };

static ivl_status read_text(settings *s, const char *text, size_t bytes)
{
    ck_assert_int_eq(ivl_conf_defaults(rows, N, s), IVL_OK);
    return ivl_conf_yaml_text(rows, N, s, text, bytes, "a.yaml");
}

/* The text is refused, with these words. */
static void refused_n(const char *text, size_t bytes, const char *words)
{
    settings s;
    ivl_status st = read_text(&s, text, bytes);
    ivl_conf_free(rows, N, &s);
    ck_assert_msg(st != IVL_OK, "taken: %.200s", text);
    ck_assert_msg(strstr(ivl_last_error(), words) != NULL, "'%s' lacks '%s'", ivl_last_error(), words);
}
static void refused(const char *text, const char *words) { refused_n(text, strlen(text), words); }

START_TEST(test_defaults)
{
    settings s;
    memset(&s, 0xa5, sizeof s);
    ck_assert_int_eq(ivl_conf_defaults(rows, N, &s), IVL_OK);
    ck_assert(s.steps == 1000 && s.rate == 1e-3 && s.beta == 0.95 && !s.flip);
    ck_assert_str_eq(s.data, "");
    ck_assert_str_eq(s.rule, "uniform");
    ck_assert_int_eq(s.words.n, 2);
    ck_assert_str_eq(s.words.item[1], "b");
    ck_assert_int_eq(s.some.n, 0);
    ivl_conf_free(rows, N, &s);
    ivl_conf_free(rows, N, &s); /* twice does no harm */
}
END_TEST

START_TEST(test_yaml)
{
    settings s;
    const char *text =
        "# a comment\nsteps: 12\noptim:\n  rate: 0.5\n  beta: .25\nflip: true\ndata: 'x: y, #z'\n"
        "rule: linear\nwords: [p, \"q, r\"]\nsome:\n- two\n- one\n";
    ck_assert_msg(read_text(&s, text, strlen(text)) == IVL_OK, "%s", ivl_last_error());
    ck_assert(s.steps == 12 && s.rate == 0.5 && s.beta == 0.25 && s.flip);
    ck_assert_str_eq(s.data, "x: y, #z");
    ck_assert_str_eq(s.rule, "linear");
    ck_assert_str_eq(s.words.item[1], "q, r");
    ck_assert_str_eq(s.some.item[0], "two");
    ivl_conf_free(rows, N, &s);
    const char *const nothing[] = { "", "# only a comment\n", "---\n", "{}", "optim: {}" };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        ck_assert_msg(read_text(&s, nothing[i], strlen(nothing[i])) == IVL_OK, "%s", ivl_last_error());
        ivl_conf_free(rows, N, &s);
    }
    const char *dotted = "optim.rate: 0.125\ndata: ~\n"; /* the printed form */
    ck_assert_int_eq(read_text(&s, dotted, strlen(dotted)), IVL_OK);
    ck_assert(s.rate == 0.125);
    ivl_conf_free(rows, N, &s);
}
END_TEST

START_TEST(test_refused)
{
    refused("steps: 5\nstep: 5\n", "a.yaml:2: unknown key 'step': did you mean 'steps'?");
    refused("rate: 1\n", "did you mean 'optim.rate'?");
    refused("optim: 3\n", "a.yaml:1: 'optim' holds further keys, like optim.rate");
    refused("colour_of_the_sky: blue\n", "unknown key 'colour_of_the_sky'");
    refused("steps: 1\nflip: true\nsteps: 2\n", "a.yaml:3: 'steps' was set already in line 1");
    refused("optim: {rate: 1}\noptim.rate: 1\n", "was set already in line 1");
    refused("steps: many\n", "steps: 'many' is no integer");
    refused("steps: 1.5\n", "no integer");
    refused("steps: \"15\"\n", "no integer");
    refused("steps:\n", "no integer");
    refused("steps: 99999999999999999999\n", "no integer");
    refused("steps: 0\n", "steps: 0 is out of range, 1 to 1e+09");
    refused("optim: {rate: 1.5}\n", "out of range, 0 to 1");
    refused("optim: {beta: nan}\n", "no finite number");
    refused("optim: {beta: 1e999}\n", "no finite number");
    refused("optim: {beta: 0x10}\n", "no finite number");
    refused("flip: yes\n", "neither true nor false");
    refused("rule: cosine\n", "rule: 'cosine' is none of: uniform linear");
    refused("some: [one, three]\n", "'three' is none of: one two");
    refused("words: a\n", "takes a list");
    refused("steps: [1]\n", "takes one value, not a list");
    refused("words: [[a]]\n", "a list holds plain values only");
    refused("? [a]\n: 1\n", "a key must be a plain word");
    refused("steps: 1\n---\nsteps: 2\n", "a second document");
    refused("[1, 2]\n", "lines of the form");
    refused("just words\n", "lines of the form");
    refused("steps: 1\n\tflip: true\n", "not valid YAML");
    refused("data: 'open\n", "not valid YAML");
}
END_TEST

START_TEST(test_hostile)
{
    refused("steps: &a 1\n", "anchors and aliases are not taken");
    refused("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "anchors and aliases");
    refused("steps: *a\n", "a.yaml:1: anchors and aliases");
    refused("<<: {steps: 1}\n", "unknown key '<<");
    refused("steps: !!int 1\n", "tags are not taken");
    refused("data: \"a\\0b\"\n", "a zero byte in the text");
    refused_n("steps: 1\ndata: a\0b\n", 20, "a.yaml:2: not valid YAML");
    refused("flip: true\ndata: \xff\n", "a.yaml:2: not valid YAML");
    char *big = malloc(200001);
    for (int depth = 10; depth <= 100000; depth *= 10) {
        memset(big, '[', (size_t)depth);
        refused_n(big, (size_t)depth, "");
        memset(big, '{', (size_t)depth);
        refused_n(big, (size_t)depth, "");
    }
    char *s = big;
    for (int i = 0; i < 10; i++) s += sprintf(s, "%*s%c:\n", i, "", 'a' + i);
    refused(big, "nested deeper than 8 levels");
    memset(big, 'x', 200000), big[200000] = 0;
    memcpy(big, "data: ", 6);
    refused(big, "data: a value of 199994 bytes, 4096 at most");
    memset(big, 'x', 200000);
    memcpy(big + 199990, ": 1", 4);
    refused(big, "");
    s = big + sprintf(big, "words: [");
    for (int i = 0; i < 2000; i++) s += sprintf(s, "a,");
    sprintf(s, "a]");
    refused(big, "a list of more than 1024 values");
    free(big);
}
END_TEST

START_TEST(test_set)
{
    settings s;
    ck_assert_int_eq(ivl_conf_defaults(rows, N, &s), IVL_OK);
    ck_assert_int_eq(ivl_conf_set(rows, N, &s, "steps=7", "--set"), IVL_OK);
    ck_assert_int_eq(ivl_conf_set(rows, N, &s, "steps=8", "--set"), IVL_OK);
    ck_assert_int_eq(s.steps, 8);
    ck_assert_int_eq(ivl_conf_set(rows, N, &s, "data=a=b", "--set"), IVL_OK);
    ck_assert_str_eq(s.data, "a=b");
    ck_assert_int_eq(ivl_conf_set(rows, N, &s, "words=x, y,z", "--set"), IVL_OK);
    ck_assert_int_eq(s.words.n, 3);
    ck_assert_str_eq(s.words.item[1], "y");
    ck_assert_int_eq(ivl_conf_set(rows, N, &s, "words=", "--set"), IVL_OK);
    ck_assert_int_eq(s.words.n, 0);
    static const char *const bad[][2] = {
        { "steps", "--set 'steps': the form is key=value" },
        { "=3", "the form is key=value" },
        { "stesp=3", "--set: unknown key 'stesp': did you mean 'steps'?" },
        { "steps=0", "--set: steps: 0 is out of range" },
        { "data=\xc3\x28", "not valid UTF-8" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(ivl_conf_set(rows, N, &s, bad[i][0], "--set") != IVL_OK);
        ck_assert_msg(strstr(ivl_last_error(), bad[i][1]) != NULL, "%s", ivl_last_error());
    }
    setenv("IVL_OPTIM_RATE", "0.75", 1);
    setenv("IVL_STEPS", "", 1);
    ck_assert_int_eq(ivl_conf_env(rows, N, &s, "IVL"), IVL_OK);
    ck_assert(s.rate == 0.75 && s.steps == 8);
    setenv("IVL_STEPS", "x", 1);
    ck_assert(ivl_conf_env(rows, N, &s, "IVL") != IVL_OK);
    ck_assert_str_eq(ivl_last_error(), "IVL_STEPS: steps: 'x' is no integer");
    ivl_conf_free(rows, N, &s);
}
END_TEST

/* What was printed reads back to the same bits, in any locale. */
START_TEST(test_round_trip)
{
    static const char *const texts[] = {
        "", "null", "~", "a b", "- x", "\"q\\", "x\ny\r\tz", "\x01", "#no", "tr\xc3\xbc" "b", "a: b", "true",
        "\xc2\x85\xc2\x81", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xf0\x9f\x98\x80",
        " lead and trail ", "{000..012}.tar::b.csv",
    };
    setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        settings s, t;
        char *text, *again;
        ck_assert_int_eq(ivl_conf_defaults(rows, N, &s), IVL_OK);
        free(s.data), free(s.words.item[0]);
        s.data = strdup(texts[i]), s.words.item[0] = strdup(texts[i]);
        s.steps = 123456789 + (int64_t)i, s.rate = 1.0 / 3, s.beta = pow(-7.3, (double)i), s.flip = i & 1;
        ck_assert_int_eq(ivl_conf_text(rows, N, &s, &text), IVL_OK);
        ck_assert_msg(read_text(&t, text, strlen(text)) == IVL_OK, "%s in: %s", ivl_last_error(), text);
        ck_assert(t.steps == s.steps && t.rate == s.rate && t.beta == s.beta && t.flip == s.flip);
        ck_assert_str_eq(t.data, texts[i]);
        ck_assert_str_eq(t.words.item[0], texts[i]);
        ck_assert_int_eq(ivl_conf_text(rows, N, &t, &again), IVL_OK);
        ck_assert_str_eq(text, again);
        free(text), free(again);
        ivl_conf_free(rows, N, &s);
        ivl_conf_free(rows, N, &t);
    }
}
END_TEST

START_TEST(test_files)
{
    settings s;
    ck_assert_int_eq(ivl_conf_defaults(rows, N, &s), IVL_OK);
    ck_assert_int_eq(ivl_conf_yaml(rows, N, &s, "no/such.yaml"), IVL_EIO);
    ck_assert(strstr(ivl_last_error(), "no/such.yaml") != NULL);
    char name[] = "/tmp/ivl_conf_XXXXXX", *help = NULL;
    FILE *f = fdopen(mkstemp(name), "w");
    ck_assert_int_eq(ivl_conf_print(rows, N, &s, true, f), IVL_OK);
    fclose(f);
    ck_assert_msg(ivl_conf_yaml(rows, N, &s, name) == IVL_OK, "%s", ivl_last_error());
    remove(name);
    size_t n;
    f = open_memstream(&help, &n);
    ivl_conf_help(rows, N, f);
    fclose(f);
    ck_assert(strstr(help, "optim.rate: a thing\n      number, 0 to 1; default: 1e-3") != NULL);
    free(help);
    ivl_conf_free(rows, N, &s);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("conf");
    tcase_add_test(t, test_defaults);
    tcase_add_test(t, test_yaml);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_hostile);
    tcase_add_test(t, test_set);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_files);
    return run_suite("conf", t);
}
