/* Byte-level BPE against ids that the package tokenizers gave (tests/data/make_bpe_golden.py), and what is refused. */
#include <jansson.h>

#include "data/bpe.h"
#include "data/tokenizer.h"
#include "runtime/file.h"
#include "tests/suite.h"

static ivl_tokenizer *open_golden(const char *name)
{
    char path[100];
    ivl_tokenizer *tok = NULL;
    snprintf(path, sizeof path, "tests/golden/bpe/%s", name);
    ck_assert_msg(ivl_tokenizer_open(source(path), &tok) == IVL_OK, "%s", ivl_last_error());
    return tok;
}

static json_t *golden(void)
{
    json_error_t e;
    json_t *all = json_load_file(source("tests/golden/bpe/golden.json"), 0, &e);
    ck_assert_msg(all != NULL, "%s", e.text);
    return all;
}

static void check_ids(const ivl_tokenizer *tok, const json_t *entry, const char *rule)
{
    const char *text = json_string_value(json_object_get(entry, "text"));
    const char *decoded = json_string_value(json_object_get(entry, "decoded"));
    const json_t *want = json_object_get(entry, rule);
    int32_t *ids = NULL;
    size_t n = 0;
    char *back = NULL;
    ck_assert(ivl_tokenizer_encode(tok, text, &ids, &n) == IVL_OK);
    ck_assert_msg(n == json_array_size(want), "%s: '%s': %zu tokens, %zu wanted", rule, text, n, json_array_size(want));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(ids[i] == json_integer_value(json_array_get(want, i)), "%s: '%s': token %zu is %d", rule, text, i,
                      ids[i]);
    ck_assert(ivl_tokenizer_decode(tok, ids, n, &back) == IVL_OK);
    ck_assert_str_eq(back, decoded);
    free(ids), free(back);
}

START_TEST(test_golden)
{
    static const char *const rule[] = { "smollm", "gpt-2", "default" };
    json_t *all = golden(), *entry;
    size_t i;
    for (int k = 0; k < 4; k++) { /* the GGUF files, then tokenizer.json, whose rule is the first */
        const char *name = k < 3 ? rule[k] : rule[0];
        char file[40];
        snprintf(file, sizeof file, "%s.gguf", name);
        ivl_tokenizer *tok = open_golden(k < 3 ? file : "");
        ck_assert_int_eq(ivl_tokenizer_size(tok), 400);
        ck_assert(ivl_tokenizer_bos(tok) == -1 && ivl_tokenizer_eos(tok) == 2 && ivl_tokenizer_unk(tok) == 0);
        ck_assert_int_eq(ivl_tokenizer_special(tok, "<|im_start|>"), 1);
        ck_assert_int_eq(ivl_tokenizer_special(tok, "<|im_"), -1);
        ck_assert_ptr_nonnull(strstr(ivl_tokenizer_chat_template(tok), "<|im_start|>"));
        json_array_foreach(all, i, entry) check_ids(tok, entry, name);
        ivl_tokenizer_close(tok);
    }
    json_decref(all);
}
END_TEST

START_TEST(test_forms)
{
    ivl_tokenizer *tok = open_golden("smollm.gguf");
    int32_t row[8], len = 0, *ids = NULL;
    size_t n = 0;
    char *text = NULL;
    ck_assert(ivl_text_encode(tok, "", "the cat", 8, row, &len) == IVL_OK);
    ck_assert(len >= 2 && row[len - 1] == 2 && row[0] != 1);
    ck_assert(ivl_tokenizer_encode(tok, "\xff ok", &ids, &n) == IVL_OK); /* becomes U+FFFD */
    ck_assert(ivl_tokenizer_decode(tok, ids, n, &text) == IVL_OK);
    ck_assert_str_eq(text, "\xef\xbf\xbd ok");
    free(text);
    ck_assert(ivl_tokenizer_decode(tok, ids, 1, &text) == IVL_OK); /* within a character */
    ck_assert_str_eq(text, "\xef\xbf\xbd");
    free(text), free(ids);
    int32_t bad[] = { 400, -1 };
    ck_assert(ivl_tokenizer_decode(tok, bad, 1, &text) == IVL_EINVAL && strstr(ivl_last_error(), "400"));
    ck_assert(ivl_tokenizer_decode(tok, bad + 1, 1, &text) == IVL_EINVAL);
    ivl_tokenizer_close(tok);
}
END_TEST

/* A word of a hundred thousand letters must not take quadratic time. */
START_TEST(test_long_word)
{
    enum { N = 100000 };
    ivl_tokenizer *tok = open_golden("gpt-2.gguf");
    char *text = malloc(N + 1), *back = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    for (int i = 0; i < N; i++) text[i] = "the"[i % 3];
    text[N] = 0;
    ck_assert(ivl_tokenizer_encode(tok, text, &ids, &n) == IVL_OK && n < N);
    ck_assert(ivl_tokenizer_decode(tok, ids, n, &back) == IVL_OK);
    ck_assert_str_eq(back, text);
    free(text), free(back), free(ids);
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(test_alphabet)
{
    ck_assert_uint_eq(ivl_bpe_letter(' '), 0x120);
    ck_assert_uint_eq(ivl_bpe_letter('\n'), 0x10a);
    ck_assert_uint_eq(ivl_bpe_letter(0xad), 0x143);
    for (int b = 0; b < 256; b++) ck_assert_int_eq(ivl_bpe_byte(ivl_bpe_letter((unsigned char)b)), b);
    ck_assert_int_eq(ivl_bpe_byte(0x144), -1);
    ck_assert_int_eq(ivl_bpe_byte(' '), -1);
}
END_TEST

static void refused(const char *text, ivl_status want, const char *message)
{
    ivl_tokenizer *tok = NULL;
    ck_assert_int_eq(ivl_tokenizer_open_memory(text, strlen(text), "bad.json", &tok), want);
    ck_assert_msg(strstr(ivl_last_error(), message) && strstr(ivl_last_error(), "bad.json"), "%s", ivl_last_error());
}

#define JSON(pre, vocab, merges)                                                                       \
    "{\"pre_tokenizer\":" pre ",\"model\":{\"type\":\"BPE\",\"vocab\":" vocab ",\"merges\":" merges "}}"
#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"

START_TEST(test_refused)
{
    ivl_tokenizer *tok = NULL;
    const char *good = JSON(BYTES, "{\"a\":0,\"b\":1,\"ab\":2}", "[[\"a\",\"b\"]]");
    ck_assert_msg(ivl_tokenizer_open_memory(good, strlen(good), "good", &tok) == IVL_OK, "%s", ivl_last_error());
    ivl_tokenizer_close(tok);
    refused("{", IVL_EFORMAT, "not JSON");
    refused("{}", IVL_EFORMAT, "no tokenizer");
    refused("{\"model\":{\"type\":\"Unigram\"}}", IVL_EUNSUPPORTED, "Unigram");
    refused(JSON("{\"type\":\"Metaspace\"}", "{\"a\":0}", "[]"), IVL_EUNSUPPORTED, "Metaspace");
    refused(JSON("{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "{\"a\":0}", "[]"), IVL_EUNSUPPORTED, "prefix");
    refused(JSON(BYTES, "{\"a\":7}", "[]"), IVL_EFORMAT, "id below 1");
    refused(JSON(BYTES, "{\"a\":0,\"b\":1}", "[\"a b\"]"), IVL_EFORMAT, "merge 0");
    refused(JSON(BYTES, "{\"a\":0,\"b\":1}", "[7]"), IVL_EFORMAT, "merge 0");
    ivl_bpe_rule rule;
    ck_assert(ivl_bpe_rule_parse("llama-bpe", "x.gguf", &rule) == IVL_EUNSUPPORTED &&
              strstr(ivl_last_error(), "llama-bpe"));
    ck_assert(ivl_bpe_rule_parse("smollm", "x.gguf", &rule) == IVL_OK && rule == IVL_BPE_DIGITS);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("bpe");
    tcase_add_test(t, test_golden);
    tcase_add_test(t, test_forms);
    tcase_add_test(t, test_long_word);
    tcase_add_test(t, test_alphabet);
    tcase_add_test(t, test_refused);
    return run_suite("bpe", t);
}
