/* Many questions at a time: each gets the answer that it gets alone; lists of questions and their scores. */
#include <jansson.h>
#include <unistd.h>

#include "runtime/file.h"
#include "tests/suite.h"
#include "train/quiz.h"

static char dir[] = "/tmp/ivl-answers-XXXXXX";

enum { QUESTIONS = 7, NEW = 6 };
static const char *const picture[3] = { "rgb8.png", "cmyk.jpg", "gray8.png" };
static const char *const text[QUESTIONS] = { "what is this", "a", "is there a small green bus on the table, or not?",
                                             "how many", "red", "what is it that one sees in there", "two dogs" };

static char *at(const char *name)
{
    static char path[4][256];
    static int turn;
    char *p = path[turn++ & 3];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *words)
{
    FILE *f = fopen(at(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(words, f);
    fclose(f);
}

static void setup(void)
{
    char line[1200];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (const char *kind = "cd"; *kind; kind++) {
        const char *from = source("tests/golden/odd");
        snprintf(line, sizeof line, "cp -r %s/chat_%c %s/%c && chmod -R u+w %s && cp %s/tokenizer.model %s/%c", from,
                 *kind, dir, *kind, dir, from, dir, *kind);
        ck_assert_int_eq(system(line), 0);
    }
}

static void teardown(void) { remove_tree(dir); }

static ivl_talk *open_talk(char kind, int beams, ivl_device **dev_p)
{
    char name[2] = { kind };
    ivl_talk *t = NULL;
    ivl_talk_options o = { .decode = ivl_decode_defaults() };
    o.decode.max_new = NEW, o.decode.beams = beams;
    ck_assert_int_eq(ivl_device_open("host", dev_p), IVL_OK);
    ck_assert_msg(ivl_talk_open(at(name), *dev_p, &o, &t) == IVL_OK, "%s", ivl_last_error());
    return t;
}

static ivl_picture load(const char *name)
{
    char path[256], *bytes = NULL;
    ivl_picture p = { .name = name };
    snprintf(path, sizeof path, "tests/golden/images/%s", name);
    ck_assert_int_eq(ivl_read_file(source(path), 0, &bytes, &p.n), IVL_OK);
    p.bytes = bytes;
    return p;
}

static ivl_status show(void *ctx, int i, ivl_picture *p)
{
    (void)ctx;
    *p = load(picture[i % 3]);
    return IVL_OK;
}

/* Batches of three: seven questions make two full ones and a short one. */
static void check_batches(char kind, int beams, bool sees)
{
    ivl_device *dev = NULL;
    ivl_talk *t = open_talk(kind, beams, &dev);
    char question[QUESTIONS][80], *many[QUESTIONS] = { 0 }, *one = NULL;
    const char *all[QUESTIONS];
    int different = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        snprintf(question[i], sizeof question[i], "%s%s", sees ? "<image>\n" : "", text[i]);
        all[i] = question[i];
    }
    ivl_talk_questions q = { .question = all, .n = QUESTIONS, .batch = 3, .pictures = sees, .show = show };
    ck_assert_msg(ivl_talk_answers(t, &q, many) == IVL_OK, "%s", ivl_last_error());
    for (int i = 0; i < QUESTIONS; i++) {
        ivl_turn turn = { question[i], NULL };
        ivl_picture p = load(picture[i % 3]);
        ivl_talk_clear(t);
        if (sees) ck_assert_int_eq(ivl_talk_show(t, &p), IVL_OK);
        ck_assert_int_eq(ivl_talk_answer(t, &turn, 1, NULL, NULL, &one), IVL_OK);
        ck_assert_str_eq(many[i], one);
        different += strcmp(many[i], many[0]) != 0;
        free(one), free((char *)(uintptr_t)p.bytes);
    }
    ck_assert_int_gt(different, 0); /* else the test tells nothing */
    for (int i = 0; i < QUESTIONS; i++) free(many[i]);
    ivl_talk_close(t);
    ivl_device_close(dev);
}

START_TEST(one_by_one)
{
    check_batches('c', 1, true);
    check_batches('d', 1, true);
    check_batches('c', 2, true);
    check_batches('d', 1, false);
}
END_TEST

START_TEST(kinds)
{
    static const struct { const char *question; ivl_quiz_kind kind; } t[] = {
        { "What is in the picture?", IVL_QUIZ_WHAT },       { "How many cats are there?", IVL_QUIZ_COUNT },
        { "What color is the cat?", IVL_QUIZ_COLOR },       { "Where is the cat?", IVL_QUIZ_WHERE },
        { "Is there a cat in the image?", IVL_QUIZ_PRESENCE }, { "Is the cat above the dog?", IVL_QUIZ_RELATION },
        { "Describe the image briefly.", IVL_QUIZ_WHAT },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) ck_assert_int_eq(ivl_quiz_kind_of(t[i].question), t[i].kind);
}
END_TEST

static json_t *results(const char *path)
{
    json_t *j = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(j);
    return j;
}

static double number(const json_t *j, const char *part, const char *key)
{
    const json_t *v = json_object_get(json_object_get(j, part), key);
    ck_assert_msg(json_is_number(v), "no %s %s", part, key);
    return json_number_value(v);
}

/* The model says nonsense, which counts as yes. */
START_TEST(pope)
{
    ivl_device *dev = NULL;
    ivl_talk *t = open_talk('c', 1, &dev);
    const char *images = strdup(source("tests/golden/images"));
    put("a.json", "{\"image\": \"rgb8.png\", \"text\": \"Is there a cat?\", \"label\": \"yes\"}\n\n"
                  "{\"image\": \"rgb8.png\", \"text\": \"Is there a dog?\", \"label\": \"no\"}\n"
                  "{\"image\": \"cmyk.jpg\", \"text\": \"Is there a bus?\", \"label\": \"yes\"}");
    put("b.json", "{\"image\": \"rgb8.png\", \"text\": \"x\", \"label\": \"maybe\"}\n");
    put("c.json", "{\"image\": \"never.png\", \"text\": \"x\", \"label\": \"no\"}\n");
    char a[256];
    strcpy(a, at("a.json"));
    const char *lists[] = { a, a };
    for (ivl_blind blind = IVL_SEES; blind <= IVL_SEES_NOTHING; blind++) {
        ivl_quiz_options o = { .model = "m", .batch = 2, .blind = blind, .suffix = "Shortly.", .n_examples = 2 };
        char answers[256], examples[256];
        o.answers = strcpy(answers, at("answers.jsonl")), o.examples = strcpy(examples, at("conversation.json"));
        ck_assert_msg(ivl_eval_pope(t, lists, 2, images, &o, at("pope.json")) == IVL_OK, "%s", ivl_last_error());
        json_t *j = results(at("pope.json")), *r = json_array_get(json_object_get(j, "results"), 1);
        ck_assert_uint_eq(json_array_size(json_object_get(j, "results")), 2);
        ck_assert_str_eq(json_string_value(json_object_get(r, "blind")), ivl_blind_name(blind));
        ck_assert_double_eq_tol(number(r, "metrics", "accuracy"), 2 / 3., 1e-5);
        ck_assert_double_eq_tol(number(r, "metrics", "f1"), 0.8, 1e-5);
        ck_assert_double_eq_tol(number(r, "metrics", "yes_ratio"), 1, 1e-5);
        ck_assert_double_eq_tol(number(r, "always_yes", "f1"), 0.8, 1e-5);
        ck_assert_double_eq_tol(number(r, "chance", "f1"), (2 / 3.) / (2 / 3. + .5), 1e-5);
        json_decref(j);
        j = results(examples);
        const json_t *shown = json_object_get(j, "conversations"), *e = json_array_get(shown, 0);
        ck_assert_uint_eq(json_array_size(shown), 2);
        ck_assert_uint_eq(json_array_size(json_object_get(e, "turns")), 2);
        ck_assert(!strncmp(json_string_value(json_object_get(e, "image")), "data:image/png", 14));
        json_decref(j);
    }
    ivl_quiz_options o = { .model = "m", .batch = 2 };
    lists[0] = at("b.json");
    ck_assert_int_eq(ivl_eval_pope(t, lists, 1, images, &o, at("x.json")), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "b.json:1: no {\"image\""));
    lists[0] = at("c.json");
    ck_assert_int_ne(ivl_eval_pope(t, lists, 1, images, &o, at("x.json")), IVL_OK);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "never.png"));
    ivl_talk_close(t);
    ivl_device_close(dev);
    free((char *)(uintptr_t)images);
}
END_TEST

/* Conversations whose right answers are what the model says, but for case and a full stop; one is not. */
START_TEST(exact_answers)
{
    ivl_device *dev = NULL;
    ivl_talk *t = open_talk('d', 1, &dev);
    const char *images = strdup(source("tests/golden/images"));
    static const char *const ask[] = { "How many cats are there?", "Where is the cat?", "What color is it?" };
    char talks[256], out[256];
    json_t *list = json_array();
    for (int i = 0; i < 3; i++) {
        char question[80], truth[200], *said = NULL;
        ivl_picture p = load("rgb8.png");
        snprintf(question, sizeof question, "<image>\n%s", ask[i]);
        ivl_turn turn = { question, NULL };
        ivl_talk_clear(t);
        ck_assert_int_eq(ivl_talk_show(t, &p), IVL_OK);
        ck_assert_int_eq(ivl_talk_answer(t, &turn, 1, NULL, NULL, &said), IVL_OK);
        snprintf(truth, sizeof truth, i == 0 ? "%s" : i == 1 ? "%s. " : "%s x", said);
        json_array_append_new(list, json_pack("{s:i, s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "id", i, "image", "rgb8.png",
                                              "conversations", "from", "human", "value", question, "from", "gpt",
                                              "value", truth));
        free(said), free((char *)(uintptr_t)p.bytes);
    }
    strcpy(talks, at("talks.json")), strcpy(out, at("chat.json"));
    ck_assert_int_eq(json_dump_file(list, talks, 0), 0);
    json_decref(list);
    ivl_quiz_options o = { .model = "m", .batch = 2 };
    ck_assert_msg(ivl_eval_chat(t, talks, images, &o, out) == IVL_OK, "%s", ivl_last_error());
    json_t *j = results(out), *r = json_array_get(json_object_get(j, "results"), 0);
    ck_assert_double_eq_tol(number(r, "metrics", "all"), 2 / 3., 1e-5);
    ck_assert_double_eq(number(r, "metrics", "how_many"), 1);
    ck_assert_double_eq(number(r, "metrics", "where"), 1);
    ck_assert_double_eq(number(r, "metrics", "color"), 0);
    ck_assert_double_eq(number(r, "counts", "all"), 3);
    ck_assert_ptr_null(json_object_get(json_object_get(r, "metrics"), "relation"));
    json_decref(j);
    ivl_talk_close(t);
    ivl_device_close(dev);
    free((char *)(uintptr_t)images);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("answers");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, one_by_one);
    tcase_add_test(t, kinds);
    tcase_add_test(t, pope);
    tcase_add_test(t, exact_answers);
    return run_suite("answers", t);
}
