/* Tokens: the parity cases exactly, LLaMA's rules, truncation, cleaning, invalid UTF-8, training. */
#include "data/tokenizer.h"
#include "runtime/file.h"
#include "runtime/rng.h"
#include "tests/suite.h"

#include <jansson.h>
#include <unistd.h>

static ivl_tokenizer *open_case(const char *name)
{
    char path[256];
    ivl_tokenizer *tok = NULL;
    snprintf(path, sizeof path, "tests/golden/%s", name);
    ck_assert_msg(ivl_tokenizer_open(source(path), &tok) == IVL_OK, "%s", ivl_last_error());
    return tok;
}

static void same_ids(const ivl_tokenizer *tok, const char *text, const json_t *want)
{
    int32_t *ids = NULL;
    size_t n = 0;
    ck_assert_int_eq(ivl_tokenizer_encode(tok, text, &ids, &n), IVL_OK);
    ck_assert_msg(n == json_array_size(want), "\"%s\": %zu tokens, not %zu", text, n, json_array_size(want));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(ids[i] == json_integer_value(json_array_get(want, i)), "\"%s\": token %zu is %d", text,
                      i, ids[i]);
    free(ids);
}

START_TEST(parity)
{
    const char *const cases[] = { "odd", "odd2_bf16_sharded" }, *const kinds[] = { "legacy", "non_legacy" };
    char path[256];
    ivl_tokenizer *tok = open_case(cases[_i]);
    snprintf(path, sizeof path, "tests/golden/%s/tokens.json", cases[_i]);
    json_t *all = json_load_file(source(path), 0, NULL);
    ck_assert_ptr_nonnull(all);
    for (int k = 0; k < 2; k++) {
        json_t *list = json_object_get(all, kinds[k]);
        ivl_tokenizer_legacy(tok, k == 0);
        ck_assert_uint_eq(json_array_size(list), 41);
        for (size_t i = 0; i < json_array_size(list); i++) {
            json_t *one = json_array_get(list, i);
            same_ids(tok, json_string_value(json_object_get(one, "text")), json_object_get(one, "ids"));
        }
    }
    json_decref(all);
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(contrastive_form)
{
    ivl_tokenizer *tok = open_case("odd");
    int32_t ids[80], len = 0, *whole = NULL;
    size_t n = 0;
    ck_assert_int_eq(ivl_text_contrastive(tok, "a cat on the table", 80, ids, &len), IVL_OK);
    ck_assert_int_eq(ivl_tokenizer_encode(tok, "summarize:a cat on the table", &whole, &n), IVL_OK);
    ck_assert_int_eq(len, (int)n + 1);
    ck_assert_mem_eq(ids, whole, n * sizeof *ids);
    ck_assert_int_eq(ids[n], 2);
    for (int i = len; i < 80; i++) ck_assert_int_eq(ids[i], 0);
    for (int most = 2; most < (int)n + 3; most++) { /* cut: the end token stays */
        int32_t cut[80], cut_len = 0;
        ck_assert_int_eq(ivl_text_contrastive(tok, "a cat on the table", most, cut, &cut_len), IVL_OK);
        ck_assert_int_eq(cut_len, most < len ? most : len);
        ck_assert_int_eq(cut[cut_len - 1], 2);
        ck_assert_mem_eq(cut, whole, (size_t)(cut_len - 1) * sizeof *cut);
    }
    ck_assert_int_eq(ivl_text_contrastive(tok, "x", 1, ids, &len), IVL_EINVAL);
    free(whole);
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(decoding)
{
    ivl_tokenizer *tok = open_case("odd");
    const char *const texts[] = { "a cat on the table", "caf\u00e9 \u4e00\u53ea\u732b \U0001f600", "x  y",
                                  "" };
    for (int i = 0; i < 4; i++) {
        int32_t *ids = NULL;
        size_t n = 0;
        char *back = NULL;
        ck_assert_int_eq(ivl_tokenizer_encode(tok, texts[i], &ids, &n), IVL_OK);
        ck_assert_int_eq(ivl_tokenizer_decode(tok, ids, n, &back), IVL_OK);
        ck_assert_str_eq(back, texts[i]);
        free(ids), free(back);
    }
    int32_t bad[] = { 5, 99999 };
    char *none = NULL;
    ck_assert_int_eq(ivl_tokenizer_decode(tok, bad, 2, &none), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "99999"));
    ck_assert_int_eq(ivl_tokenizer_size(tok), 420);
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(invalid_utf8)
{
    struct { const char *in, *out; } t[] = {
        { "a\xff" "b", "a\xef\xbf\xbd" "b" },
        { "\xc3", "\xef\xbf\xbd" },
        { "\xe4\xb8", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *out = NULL;
        ck_assert_int_eq(ivl_utf8_clean(t[i].in, strlen(t[i].in), &out, NULL), IVL_OK);
        ck_assert_str_eq(out, t[i].out);
        free(out);
    }
    ivl_tokenizer *tok = open_case("odd");
    ivl_rng r = ivl_rng_make(1, "bytes");
    for (uint32_t k = 0; k < 300; k++) { /* any bytes at all */
        char text[64];
        int32_t ids[32], len = 0;
        for (uint32_t i = 0; i < 63; i++) text[i] = (char)(1 + ivl_rng_below(r, k, i, 0, 255));
        text[k % 64] = 0, text[63] = 0;
        ck_assert_int_eq(ivl_text_contrastive(tok, text, 32, ids, &len), IVL_OK);
        for (int i = 0; i < len; i++) ck_assert(ids[i] >= 0 && ids[i] < 420);
        char *clean = NULL;
        ck_assert_int_eq(ivl_text_clean(text, 50, &clean), IVL_OK);
        free(clean);
    }
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(cleaning)
{
    struct { const char *in; int words; const char *out; } t[] = {
        { "A Cat, on the TABLE.", 0, "a cat, on the table" },
        { "  Hello!!  (world) \n", 0, "hello world" },
        { "one two  three four", 3, "one two three" },
        { "one two", 2, "one two" },
        { "\u00c9COLE \u00dcBER \u042f", 0, "\u00e9cole \u00fcber \u044f" },
        { "\u039f\u0394\u039f\u03a3 \u03a3\u0391", 0, "\u03bf\u03b4\u03bf\u03c2 \u03c3\u03b1" },
        { "\u03a3. \u0391\u03a3:\u0391", 0, "\u03c3 \u03b1\u03c3 \u03b1" },
        { "\u0391\u03a3\u6587", 0, "\u03b1\u03c2\u6587" },
        { "\u0130", 0, "i\u0307" },
        { "a\tb\t c", 0, "a\tb c" },
        { "...", 0, "" },
        { "", 5, "" },
        { "10:30 #tag ~x", 0, "10 30 tag x" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *out = NULL;
        ck_assert_int_eq(ivl_text_clean(t[i].in, t[i].words, &out), IVL_OK);
        ck_assert_str_eq(out, t[i].out);
        free(out);
    }
}
END_TEST

START_TEST(broken_models)
{
    ivl_tokenizer *tok = NULL;
    ck_assert_int_eq(ivl_tokenizer_open("/nonexistent/tokenizer.model", &tok), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "/nonexistent/tokenizer.model"));
    ck_assert_int_eq(ivl_tokenizer_open(source("tests/golden/odd/tokens.json"), &tok), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "tokens.json"));
    char *model = NULL, path[] = "/tmp/ivl-model-XXXXXX";
    size_t n = 0;
    int fd = mkstemp(path);
    ck_assert_int_eq(ivl_read_file(source("tests/golden/odd/tokenizer.model"), 0, &model, &n), IVL_OK);
    for (size_t cut = 0; cut < n; cut += 397) {
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        ck_assert_int_eq(pwrite(fd, model, cut, 0), (ssize_t)cut);
        if (ivl_tokenizer_open(path, &tok) == IVL_OK) ivl_tokenizer_close(tok);
        else ck_assert_ptr_nonnull(strstr(ivl_last_error(), path));
    }
    close(fd), unlink(path), free(model);
    ivl_tokenizer_close(NULL);
}
END_TEST

static void write_corpus(FILE *f)
{
    const char *const word[] = { "cat",   "dog",  "red",    "green",  "smiling",  "face",
                                 "house", "tree", "\u732b", "\u72ac", "caf\u00e9" };
    ivl_rng r = ivl_rng_make(3, "corpus");
    for (uint32_t i = 0; i < 300; i++)
        for (uint32_t k = 0; k < 6; k++)
            fprintf(f, "%s%c", word[ivl_rng_below(r, i, k, 0, 11)], k < 5 ? ' ' : '\n');
    fputs("bad \xff bytes\n", f);
}

START_TEST(training)
{
    char corpus[] = "/tmp/ivl-corpus-XXXXXX", out[64];
    FILE *f = fdopen(mkstemp(corpus), "w");
    write_corpus(f), fclose(f);
    snprintf(out, sizeof out, "%s.model", corpus);
    char *first = NULL, *second = NULL;
    size_t n1 = 0, n2 = 0;
    ck_assert_msg(ivl_tokenizer_train(corpus, 300, out) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_read_file(out, 0, &first, &n1), IVL_OK);
    ck_assert_int_eq(ivl_tokenizer_train(corpus, 300, out), IVL_OK);
    ck_assert_int_eq(ivl_read_file(out, 0, &second, &n2), IVL_OK);
    ck_assert(n1 == n2 && !memcmp(first, second, n1));
    ivl_tokenizer *tok = NULL;
    ck_assert_int_eq(ivl_tokenizer_open(out, &tok), IVL_OK);
    ck_assert(ivl_tokenizer_size(tok) == 300 && ivl_tokenizer_unk(tok) == 0 && ivl_tokenizer_bos(tok) == 1 &&
              ivl_tokenizer_eos(tok) == 2);
    int32_t ids[16], len = 0;
    ck_assert_int_eq(ivl_text_encode(tok, "", "cat dog \U0001f600", 16, ids, &len), IVL_OK);
    for (int i = 0; i < len; i++) ck_assert_int_ne(ids[i], 0); /* byte fallback: nothing is unknown */
    ck_assert_int_eq(ivl_tokenizer_train(corpus, 100000, out), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), corpus));
    ck_assert_int_eq(ivl_tokenizer_train(corpus, 10, out), IVL_EINVAL);
    ck_assert_int_eq(ivl_tokenizer_train("/nonexistent/c", 300, out), IVL_EIO);
    ivl_tokenizer_close(tok);
    unlink(corpus), unlink(out), free(first), free(second);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("text");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, parity, 0, 2);
    tcase_add_test(t, contrastive_form);
    tcase_add_test(t, decoding);
    tcase_add_test(t, invalid_utf8);
    tcase_add_test(t, cleaning);
    tcase_add_test(t, broken_models);
    tcase_add_test(t, training);
    return run_suite("text", t);
}
