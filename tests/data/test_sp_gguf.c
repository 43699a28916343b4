/* Sentencepiece models in GGUF files: ids and texts equal those of the tokenizer.model they were made from, on texts
 * that break tokenizers; special tokens of the file's own; and files that are wrong. */
#include <unistd.h>

#include "data/sp_proto.h"
#include "data/tokenizer.h"
#include "runtime/file.h"
#include "tests/suite.h"

#define ok(call) ck_assert_msg((call) == IVL_OK, "%s", ivl_last_error())

static char dir[] = "/tmp/ivl-sp-gguf-XXXXXX", path[64], trained[64];

static void setup(void)
{
    static const char *const line[] = { "the lighthouse keeper looks at the sea", "the sea looks at the lighthouse",
                                        "keepers  keep   two  spaces",
                                        "d\xc3\xa9j\xc3\xa0 vu, na\xc3\xafve caf\xc3\xa9",
                                        "12 ships and 345 boats", "\xe7\x81\xaf\xe5\xa1\x94 \xe7\x81\xaf" };
    char corpus[80];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.gguf", dir), snprintf(trained, sizeof trained, "%s/a.model", dir);
    snprintf(corpus, sizeof corpus, "%s/corpus.txt", dir);
    FILE *f = fopen(corpus, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 60; i++) fprintf(f, "%s\n", line[i % 6]);
    ck_assert_int_eq(fclose(f), 0);
    ok(ivl_tokenizer_train(corpus, 330, trained));
}
static void teardown(void) { remove_tree(dir); }

static const char *const texts[] = {
    "", " ", "  ", "\n", "\t\n\r", "a", " a", "a ", "the lighthouse keeper looks at the sea.",
    "two  spaces   and more    ", "1234567890 3.14 -7", "d\xc3\xa9j\xc3\xa0 vu", "e\xcc\x81",
    "\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", "\xe7\x81\xaf\xe5\xa1\x94\xe5\xae\x88",
    "\xe2\x96\x81", "\xe2\x96\x81 \xe2\x96\x81x", "\xe2\x81\x87", "<s>", "</s>", "<unk>", "a</s>b<s> c", "<s",
    "<<s>>", "<0x0A>", "\x01\x02\x7f", "\xff\xfe broken \xc3", "\xef\xbb\xbf" "bom", "x\xc2\xa0y\xe3\x80\x80z",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "USER: hi ASSISTANT: yes</s>USER: and?",
    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7",
    "if (a <= b) { return c[i]++; } /* </s> */",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static void equal(const ivl_tokenizer *a, const ivl_tokenizer *b, const char *text)
{
    int32_t *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    char *p = NULL, *q = NULL;
    ok(ivl_tokenizer_encode(a, text, &x, &n)), ok(ivl_tokenizer_encode(b, text, &y, &m));
    ck_assert_msg(n == m && !memcmp(x, y, n * sizeof *x), "'%s' is %zu and %zu tokens", text, n, m);
    ok(ivl_tokenizer_decode(a, x, n, &p)), ok(ivl_tokenizer_decode(b, y, m, &q));
    ck_assert_str_eq(p, q);
    free(x), free(y), free(p), free(q);
}

static const char *model_of(int i)
{
    static const char *const golden[] = { "tests/golden/odd/tokenizer.model",
                                          "tests/golden/odd2_bf16_sharded/tokenizer.model" };
    return i ? source(golden[i - 1]) : trained;
}

START_TEST(same_ids)
{
    ivl_tokenizer *want = NULL, *got = NULL, *back = NULL;
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    ok(ivl_tokenizer_open(model_of(_i), &want));
    ok(ivl_tokenizer_put_gguf(want, "a", m));
    ok(ivl_gguf_save(path, m, NULL, 0));
    ok(ivl_tokenizer_open(path, &got));
    ok(ivl_tokenizer_save(got, dir)); /* as tokenizer.model again */
    ok(ivl_tokenizer_open(dir, &back));
    ck_assert_int_eq(ivl_tokenizer_size(got), ivl_tokenizer_size(want));
    ck_assert_int_eq(ivl_tokenizer_bos(got), ivl_tokenizer_bos(want));
    ck_assert_int_eq(ivl_tokenizer_eos(got), ivl_tokenizer_eos(want));
    ck_assert_int_eq(ivl_tokenizer_unk(got), ivl_tokenizer_unk(want));
    ck_assert_int_eq(ivl_tokenizer_special(got, "</s>"), ivl_tokenizer_eos(want));
    for (int legacy = 0; legacy < 2; legacy++) {
        ivl_tokenizer_legacy(want, legacy), ivl_tokenizer_legacy(got, legacy), ivl_tokenizer_legacy(back, legacy);
        for (int i = 0; i < TEXTS; i++) equal(want, got, texts[i]), equal(want, back, texts[i]);
    }
    ivl_tokenizer_close(want), ivl_tokenizer_close(got), ivl_tokenizer_close(back);
    ivl_gguf_meta_destroy(m);
}
END_TEST

/* --- files made by hand --------------------------------------------------------------------------- */

enum { MOST = 16 };
typedef struct vocabulary {
    const char *token[MOST];
    float score[MOST];
    int32_t type[MOST];
    int n, scores, types;
} vocabulary;

static vocabulary small(void)
{
    return (vocabulary){ .token = { "<unk>", "<s>", "</s>", "\xe2\x96\x81", "a", "b", "ab", "\xe2\x96\x81" "ab",
                                    "<|im_end|>", "b<" },
                         .score = { 0, 0, 0, -4, -5, -6, -1, -2, 0, -3 },
                         .type = { 2, 3, 3, 1, 1, 1, 1, 1, 3, 1 },
                         .n = 10, .scores = 10, .types = 10 };
}

static ivl_status open_made(const vocabulary *v, int bos, bool add_bos, ivl_tokenizer **tok_p)
{
    ivl_gguf_text token[MOST];
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    for (int i = 0; i < v->n; i++) token[i] = (ivl_gguf_text){ v->token[i], strlen(v->token[i]) };
    ivl_gguf_put_string(m, "tokenizer.ggml.model", "llama");
    ivl_gguf_put_strings(m, "tokenizer.ggml.tokens", token, v->n);
    ivl_gguf_put_f32s(m, "tokenizer.ggml.scores", v->score, v->scores);
    if (v->types) ivl_gguf_put_i32s(m, "tokenizer.ggml.token_type", v->type, v->types);
    ivl_gguf_put_u32(m, "tokenizer.ggml.bos_token_id", (uint32_t)bos);
    ivl_gguf_put_bool(m, "tokenizer.ggml.add_bos_token", add_bos);
    ivl_gguf_put_string(m, "tokenizer.chat_template", "{{ '<|im_start|>' }}");
    ok(ivl_gguf_save(path, m, NULL, 0));
    ivl_gguf_meta_destroy(m);
    return ivl_tokenizer_open(path, tok_p);
}

static void encodes(const ivl_tokenizer *tok, const char *text, const int32_t *want, size_t n)
{
    int32_t *ids = NULL;
    size_t m = 0;
    ok(ivl_tokenizer_encode(tok, text, &ids, &m));
    ck_assert_msg(n == m && !memcmp(ids, want, n * sizeof *ids), "'%s': %zu tokens", text, m);
    free(ids);
}

START_TEST(made)
{
    vocabulary v = small();
    ivl_tokenizer *tok = NULL;
    ok(open_made(&v, 1, true, &tok));
    encodes(tok, "ab", (int32_t[]){ 1, 7 }, 2);
    encodes(tok, "ab<|im_end|>a", (int32_t[]){ 1, 7, 8, 3, 4 }, 5); /* the file's own special token */
    encodes(tok, "ab</s>", (int32_t[]){ 1, 7, 2 }, 3);
    encodes(tok, "b<", (int32_t[]){ 1, 3, 9 }, 3);
    ck_assert_int_eq(ivl_tokenizer_special(tok, "<|im_end|>"), 8);
    ck_assert_int_eq(ivl_tokenizer_special(tok, "ab"), -1);
    ck_assert_str_eq(ivl_tokenizer_chat_template(tok), "{{ '<|im_start|>' }}");
    ivl_tokenizer_close(tok), tok = NULL;
    ok(open_made(&v, 1, false, &tok)); /* nothing comes first */
    ck_assert_int_eq(ivl_tokenizer_bos(tok), -1);
    encodes(tok, "ab", (int32_t[]){ 7 }, 1);
    ivl_tokenizer_close(tok);
}
END_TEST

/* What a folder of Hugging Face's form keeps of it. */
START_TEST(made_folder)
{
    char to[] = "/tmp/ivl-sp-XXXXXX", file[64];
    ck_assert_ptr_nonnull(mkdtemp(to));
    for (int add_bos = 0; add_bos < 2; add_bos++) {
        vocabulary v = small();
        ivl_tokenizer *tok = NULL, *back = NULL;
        ok(open_made(&v, 1, add_bos, &tok));
        ok(ivl_tokenizer_save(tok, to));
        ok(ivl_tokenizer_open(to, &back));
        ck_assert_str_eq(ivl_tokenizer_chat_template(back), ivl_tokenizer_chat_template(tok));
        ck_assert_int_eq(ivl_tokenizer_bos(back), ivl_tokenizer_bos(tok));
        ck_assert_int_eq(ivl_tokenizer_special(back, "<|im_end|>"), 8);
        encodes(back, "ab<|im_end|>a</s>", (int32_t[]){ 1, 7, 8, 3, 4, 2 } + !add_bos, 5 + (size_t)add_bos);
        ivl_tokenizer_close(tok), ivl_tokenizer_close(back);
    }
    ivl_tokenizer *none = NULL;
    snprintf(file, sizeof file, "%s/tokenizer_config.json", to);
    FILE *f = fopen(file, "w");
    ck_assert(f && fputs("{\"chat_template\": ", f) >= 0 && !fclose(f));
    ck_assert_int_eq(ivl_tokenizer_open(to, &none), IVL_EFORMAT);
    ck_assert_msg(strstr(ivl_last_error(), file) != NULL, "%s", ivl_last_error());
    ck_assert_int_eq(remove(file), 0);
    snprintf(file, sizeof file, "%s/tokenizer.model", to);
    ck_assert_int_eq(remove(file), 0);
    ck_assert_int_eq(rmdir(to), 0);
}
END_TEST

static void refused(const vocabulary *v, int bos, const char *text)
{
    ivl_tokenizer *tok = NULL;
    ck_assert_int_eq(open_made(v, bos, true, &tok), IVL_EFORMAT);
    ck_assert_ptr_null(tok);
    ck_assert_msg(strstr(ivl_last_error(), "a.gguf") && strstr(ivl_last_error(), text), "%s", ivl_last_error());
}

START_TEST(wrong)
{
    vocabulary v = small();
    v.scores = 9, refused(&v, 1, "10 tokens, but 9 scores");
    v = small(), v.types = 9, refused(&v, 1, "9 token types");
    v = small(), v.type[4] = 9, refused(&v, 1, "token 4 is of type 9");
    v = small(), refused(&v, 12, "bos_token_id");
    v = small(), v.token[5] = "a", refused(&v, 1, "already defined");
    v = small(), v.token[5] = "", refused(&v, 1, "");
    v = small(), v.type[5] = IVL_SP_UNKNOWN, refused(&v, 1, "");
    v = small(), v.type[5] = IVL_SP_BYTE, refused(&v, 1, ""); /* some bytes, but not all */
    v = small(), v.types = 0, refused(&v, 1, "<s>"); /* no control tokens */
    ivl_tokenizer *tok = NULL;
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    ivl_gguf_put_string(m, "tokenizer.ggml.model", "bert");
    ok(ivl_gguf_save(path, m, NULL, 0));
    ck_assert_int_eq(ivl_tokenizer_open(path, &tok), IVL_EUNSUPPORTED);
    ivl_gguf_meta_destroy(m);
}
END_TEST

/* Cut or spoilt models are refused or read, and never read past. */
START_TEST(damaged)
{
    char *data = NULL;
    size_t n = 0;
    ok(ivl_read_file(model_of(1), 0, &data, &n));
    for (size_t cut = 0; cut < n; cut += 1 + cut / 64) {
        ivl_sp_piece *piece = NULL;
        int64_t count = 0;
        char *part = malloc(cut + 1);
        memcpy(part, data, cut);
        if (cut) part[cut * 5 / 8] ^= (char)(cut * 31);
        if (ivl_sp_pieces(part, cut, "part", &piece, &count) == IVL_OK)
            for (int64_t i = 0; i < count; i++) ck_assert(piece[i].n <= cut);
        free(piece), free(part);
    }
    free(data);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("sp_gguf");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, same_ids, 0, 3);
    tcase_add_test(t, made);
    tcase_add_test(t, made_folder);
    tcase_add_test(t, wrong);
    tcase_add_test(t, damaged);
    return run_suite("sp_gguf", t);
}
