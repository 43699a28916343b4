/* Conversation files: arrays and lines, pictures in folders and tars, marks, and what is said about wrong ones. */
#include "data/conversations.h"
#include "data/json_spans.h"
#include "data/picture_store.h"
#include "tests/data/tars.h"
#include "tests/suite.h"

#include <sys/stat.h>

static char dir[64];

static void setup(void)
{
    strcpy(dir, "/tmp/ivl-conversations-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void) { remove_tree(dir); }

static const char *inside(const char *name)
{
    static char path[4][256];
    static int turn;
    char *p = path[turn++ & 3];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static const char *put(const char *name, const char *text)
{
    const char *path = inside(name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return path;
}

#define SAY(from, value) "{\"from\": \"" from "\", \"value\": \"" value "\"}"
#define ONE(image, q, a) "{\"id\": \"x7\", " image "\"conversations\": [" SAY("human", q) ", " SAY("gpt", a) "]}"

static const char two[] = "[\n " ONE("\"image\": \"a.jpg\", ", "What is it?\\n<image>", "A {cat}, \\\"[\\\".") ",\n"
                          " {\"conversations\": [" SAY("system", "be kind") ", " SAY("user", "a <image> tag") ", "
                          SAY("assistant", "<image>!") ",\n " SAY("human", "and?") "]}\n]\n";

static void check_two(const ivl_conversations *c)
{
    ivl_conversation one = { 0 };
    ck_assert_int_eq(ivl_conversations_count(c), 2);
    ck_assert_msg(ivl_conversations_read(c, 0, &one) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(one.n_turns, 1);
    ck_assert_str_eq(one.turn[0].question, "<image>\nWhat is it?");
    ck_assert_str_eq(one.turn[0].answer, "A {cat}, \"[\".");
    ck_assert_ptr_null(one.system);
    ck_assert_int_eq(one.n_images, 1);
    ck_assert_str_eq(one.image[0].name, "a.jpg");
    ck_assert_uint_eq(one.image[0].n, 5);
    ck_assert_mem_eq(one.image[0].bytes, "bytes", 5);
    ivl_conversation_free(&one);
    ck_assert_int_eq(ivl_conversations_read(c, 1, &one), IVL_OK);
    ck_assert_int_eq(one.n_turns, 2);
    ck_assert_str_eq(one.system, "be kind");
    ck_assert_str_eq(one.turn[0].question, "a <image > tag");
    ck_assert_str_eq(one.turn[0].answer, "<image >!");
    ck_assert_str_eq(one.turn[1].question, "and?");
    ck_assert_ptr_null(one.turn[1].answer);
    ck_assert_int_eq(one.n_images, 0);
    ivl_conversation_free(&one);
    ck_assert_int_eq(ivl_conversations_read(c, 2, &one), IVL_EINVAL);
}

START_TEST(array_and_folder)
{
    ivl_conversations *c = NULL;
    put("a.jpg", "bytes");
    const char *path = put("c.json", two);
    ck_assert_msg(ivl_conversations_open(path, NULL, &c) == IVL_OK, "%s", ivl_last_error());
    check_two(c);
    ivl_conversations_close(c);
}
END_TEST

START_TEST(lines_and_tar)
{
    ivl_conversations *c = NULL;
    char lines[1024], text[256];
    snprintf(lines, sizeof lines, "\xef\xbb\xbf\n%s\r\n\n%s", ONE("\"image\": \"d/a.jpg\", ", "q", "a"),
             ONE("\"image\": [\"./b.png\", \"d/a.jpg\"], ", "<image> or <image>?", "b"));
    const char *path = put("c.jsonl", lines), *tar = inside("p.tar");
    FILE *f = fopen(tar, "w");
    tar_text(f, "./d/a.jpg", "old");
    tar_text(f, "b.png", "bb");
    tar_text(f, "d/a.jpg", "new!");
    tar_end(f);
    ck_assert_msg(ivl_conversations_open(path, tar, &c) == IVL_OK, "%s", ivl_last_error());
    ivl_conversation one = { 0 };
    ck_assert_int_eq(ivl_conversations_read(c, 0, &one), IVL_OK);
    ck_assert_str_eq(one.turn[0].question, "<image>\nq"); /* no mark: it goes first */
    ck_assert_mem_eq(one.image[0].bytes, "new!", 4);
    ivl_conversation_free(&one);
    ck_assert_int_eq(ivl_conversations_read(c, 1, &one), IVL_OK);
    ck_assert_str_eq(one.turn[0].question, "<image> or <image>?");
    ck_assert_int_eq(one.n_images, 2);
    snprintf(text, sizeof text, "%s:4: record 2 (id \"x7\")", path);
    ck_assert_str_eq(one.where, text);
    ck_assert_uint_eq(one.image[0].n, 2);
    ivl_conversation_free(&one);
    ivl_conversations_close(c);
}
END_TEST

START_TEST(several_files)
{
    ivl_conversations *c = NULL;
    char spec[600];
    put("a.jpg", "bytes");
    snprintf(spec, sizeof spec, "%s::%s", put("1.json", two), put("2.jsonl", ONE("", "q", "a")));
    ck_assert_msg(ivl_conversations_open(spec, dir, &c) == IVL_OK, "%s", ivl_last_error());
    ivl_conversation one = { 0 };
    ck_assert_int_eq(ivl_conversations_count(c), 3);
    ck_assert_int_eq(ivl_conversations_read(c, 2, &one), IVL_OK);
    ck_assert_str_eq(one.turn[0].answer, "a");
    ck_assert_ptr_nonnull(strstr(one.where, "2.jsonl:1: record 1"));
    ivl_conversation_free(&one);
    ivl_conversations_close(c);
}
END_TEST

static const struct { const char *text, *word[4]; } wrong[] = {
    { "", { "no conversation" } },
    { "[]", { "no conversation" } },
    { "[" ONE("", "q", "a") ",]", { ":1: record 2", "JSON" } },
    { "[\n" ONE("", "q", "a") "\n,\n{\"id\": 3}]", { ":4: record 2 (id 3)", "\"conversations\" is absent" } },
    { "[" ONE("", "q", "a"), { "not closed" } },
    { "[" ONE("", "q", "a") "] x", { "after the end" } },
    { "{\"conversations\": [\n]}", { ":1: record 1", "JSON" } },
    { "7", { "record 1", "JSON" } },
    { "[7]", { "record 1" } },
    { "[[]]", { "an array; an object is expected" } },
    { "{\"conversations\": {}}", { "\"conversations\" is an object; an array" } },
    { "{\"conversations\": []}", { "no message from human" } },
    { "{\"conversations\": [3]}", { "\"conversations\"[0] is a number" } },
    { "{\"conversations\": [{\"value\": \"x\"}]}", { "\"from\"", "absent" } },
    { "{\"conversations\": [{\"from\": \"human\"}]}", { "\"value\"", "absent" } },
    { "{\"conversations\": [" SAY("bot", "x") "]}", { "\"bot\"", "human or gpt" } },
    { "{\"conversations\": [" SAY("human", "x") "," SAY("human", "y") "]}", { "[1]", "\"human\"", "gpt's" } },
    { ONE("\"image\": \"gone.jpg\", ", "q", "a"), { "x7", "\"image\"", "no picture", "gone.jpg" } },
    { ONE("\"image\": 3, ", "q", "a"), { "x7", "\"image\" is a number" } },
    { ONE("\"image\": \"\", ", "q", "a"), { "x7", "\"image\" is empty" } },
    { ONE("\"image\": \"a.jpg\", ", "<image><image>", "a"), { "2 <image> marks", "1 pictures" } },
    { ONE("\"image\": \".\", ", "q", "a"), { "not a regular file" } },
};

START_TEST(messages)
{
    ivl_conversations *c = NULL;
    put("a.jpg", "bytes");
    const char *path = put("wrong.json", wrong[_i].text);
    ck_assert_int_ne(ivl_conversations_open(path, dir, &c), IVL_OK);
    ck_assert_msg(strstr(ivl_last_error(), "wrong.json") != NULL, "%s", ivl_last_error());
    for (int k = 0; k < 4 && wrong[_i].word[k]; k++)
        ck_assert_msg(strstr(ivl_last_error(), wrong[_i].word[k]) != NULL, "\"%s\" is not in: %s", wrong[_i].word[k],
                      ivl_last_error());
}
END_TEST

START_TEST(stores)
{
    ivl_picture_store *s = NULL;
    ivl_conversations *c = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    ck_assert_int_eq(ivl_picture_store_open(inside("gone"), &s), IVL_EIO);
    const char *path = put("c.json", ONE("\"image\": \"a.jpg\", ", "q", "a"));
    ck_assert_int_eq(ivl_conversations_open(path, inside("gone.tar"), &c), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "gone.tar"));
    FILE *f = fopen(inside("p.tar"), "w");
    tar_text(f, "b.jpg", "x");
    tar_end(f);
    ck_assert_int_eq(ivl_conversations_open(path, inside("p.tar"), &c), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "a.jpg in "));
    ck_assert_int_eq(ivl_picture_store_open(dir, &s), IVL_OK);
    ck_assert_int_eq(ivl_picture_store_read(s, inside("p.tar"), &bytes, &n), IVL_OK); /* absolute */
    ck_assert_uint_ge(n, 1024);
    free(bytes);
    ivl_picture_store_close(s), ivl_picture_store_close(NULL), ivl_conversations_close(NULL);
    ivl_conversation_free(NULL);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("conversations");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, array_and_folder);
    tcase_add_test(t, lines_and_tar);
    tcase_add_test(t, several_files);
    tcase_add_loop_test(t, messages, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(t, stores);
    return run_suite("conversations", t);
}
