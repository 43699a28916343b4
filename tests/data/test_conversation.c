/* Templates, prompts and labels: the oracle's answers to conversations that go wrong easily, then what it has no word
 * on: plain, ChatML, truncation. */
#include "data/conversation.h"
#include "tests/suite.h"

#include <jansson.h>

static ivl_tokenizer *open_tokenizer(bool legacy)
{
    ivl_tokenizer *tok = NULL;
    ck_assert_msg(ivl_tokenizer_open(source("tests/golden/odd"), &tok) == IVL_OK, "%s", ivl_last_error());
    ivl_tokenizer_legacy(tok, legacy);
    ck_assert_int_eq(ivl_tokenizer_is_legacy(tok), legacy);
    return tok;
}

static json_t *load(const char *list)
{
    json_t *all = json_load_file(source("tests/golden/conversation/sft.json"), 0, NULL);
    ck_assert_ptr_nonnull(all);
    json_t *l = json_incref(json_object_get(all, list));
    json_decref(all);
    return l;
}

static int turns_of(const json_t *entry, ivl_turn *turn)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(entry, "turns"), i, one) {
        turn[i].question = json_string_value(json_array_get(one, 0));
        turn[i].answer = json_string_value(json_array_get(one, 1));
    }
    return (int)i;
}

static void same(const char *what, const int32_t *got, size_t n, const json_t *want)
{
    ck_assert_msg(n == json_array_size(want), "%s: %zu, not %zu", what, n, json_array_size(want));
    for (size_t i = 0; i < n; i++) {
        int w = (int)json_integer_value(json_array_get(want, i));
        if (!strcmp(what, "labels") && w == IVL_IMAGE_TOKEN) w = IVL_IGNORE; /* a picture is never learned */
        ck_assert_msg(got[i] == w, "%s[%zu]: %d, not %d", what, i, got[i], w);
    }
}

START_TEST(oracle_labels)
{
    json_t *all = load("sft"), *e;
    size_t i;
    json_array_foreach(all, i, e) {
        ivl_turn turn[8] = { 0 };
        ivl_sft s = { 0 };
        int n = turns_of(e, turn);
        ivl_tokenizer *tok = open_tokenizer(json_is_true(json_object_get(e, "legacy")));
        ivl_codec c = ivl_codec_of(tok);
        ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_VICUNA, NULL, turn, n, &s), IVL_OK);
        same("ids", s.ids, s.n, json_object_get(e, "ids"));
        same("labels", s.labels, s.n, json_object_get(e, "labels"));
        bool any = false;
        for (size_t k = 0; k < s.n; k++) any = any || s.labels[k] != IVL_IGNORE;
        ck_assert_int_eq(any, s.learns);
        ivl_sft_free(&s);
        ivl_tokenizer_close(tok);
    }
    ck_assert_uint_eq(i, 24);
    json_decref(all);
}
END_TEST

START_TEST(oracle_prompts)
{
    json_t *all = load("prompt"), *e;
    size_t i;
    json_array_foreach(all, i, e) {
        ivl_turn turn[8] = { 0 };
        char *text = NULL;
        int32_t *ids = NULL;
        size_t n = 0;
        ivl_tokenizer *tok = open_tokenizer(json_is_true(json_object_get(e, "legacy")));
        ivl_codec c = ivl_codec_of(tok);
        ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_VICUNA, NULL, turn, turns_of(e, turn), &text), IVL_OK);
        ck_assert_str_eq(text, json_string_value(json_object_get(e, "text")));
        ck_assert_int_eq(ivl_prompt_encode(&c, text, &ids, &n), IVL_OK);
        same("prompt", ids, n, json_object_get(e, "ids"));
        free(text), free(ids);
        ivl_tokenizer_close(tok);
    }
    json_decref(all);
}
END_TEST

START_TEST(other_texts)
{
    ivl_turn t[] = { { "<image>\nq", "a" }, { "r", NULL } };
    char *text = NULL;
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_CHATML, "sys", t, 2, &text), IVL_OK);
    ck_assert_str_eq(text, "<|im_start|>system\nsys<|im_end|>\n<|im_start|>user\n<image>\nq<|im_end|>\n"
                           "<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n"
                           "<|im_start|>assistant\n");
    free(text);
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_CHATML, NULL, t + 1, 1, &text), IVL_OK);
    ck_assert_str_eq(text, "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n");
    free(text);
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_PLAIN, NULL, t, 1, &text), IVL_OK);
    ck_assert_str_eq(text, "<image>a\n");
    free(text);
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_VICUNA, "", t + 1, 1, &text), IVL_OK);
    ck_assert_str_eq(text, "USER: r ASSISTANT:");
    free(text);
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_PLAIN, NULL, t, 2, &text), IVL_EINVAL);
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_VICUNA, NULL, t, 0, &text), IVL_EINVAL);
    ivl_turn gap[] = { { "a", NULL }, { "b", "c" } };
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_VICUNA, NULL, gap, 2, &text), IVL_EINVAL);
    for (int i = 0; i < 3; i++) {
        ivl_template back;
        ck_assert_int_eq(ivl_template_parse(ivl_template_name((ivl_template)i), &back), IVL_OK);
        ck_assert_int_eq(back, i);
    }
    ivl_template none;
    ck_assert_int_eq(ivl_template_parse("llama", &none), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "llama"));
}
END_TEST

/* What is learned, as text. */
static char *learned(const ivl_tokenizer *tok, const ivl_sft *s)
{
    int32_t ids[512];
    size_t n = 0;
    char *text = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (s->labels[i] != IVL_IGNORE) ids[n++] = s->labels[i];
    ck_assert_int_eq(ivl_tokenizer_decode(tok, ids, n, &text), IVL_OK);
    return text;
}

START_TEST(chatml_labels)
{
    ivl_tokenizer *tok = open_tokenizer(_i);
    ivl_codec c = ivl_codec_of(tok);
    ivl_turn t[] = { { "<image>\nWhat?", "A red cat" }, { "and?", "a dog" } };
    ivl_sft s = { 0 };
    ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_CHATML, "be kind", t, 2, &s), IVL_OK);
    ck_assert(s.learns);
    char *text = learned(tok, &s);
    ck_assert_str_eq(text, "A red cat<|im_end|>a dog<|im_end|>");
    free(text);
    ivl_sft_free(&s);
    ivl_tokenizer_close(tok);
}
END_TEST

/* Byte-level BPE: special tokens bound the answers, and no BOS stands in front. */
START_TEST(chatml_bpe)
{
    ivl_tokenizer *tok = NULL;
    ck_assert_msg(ivl_tokenizer_open(source("tests/golden/bpe/smollm.gguf"), &tok) == IVL_OK, "%s", ivl_last_error());
    ivl_codec c = ivl_codec_of(tok);
    ivl_turn t[] = { { "Who?", "  the cat \n" }, { "and?", "" }, { "<image>\nwhat", "\nthe dog" } };
    ivl_sft s = { 0 };
    int32_t *ids = NULL;
    size_t n = 0;
    char *text = NULL;
    ck_assert_int_lt(c.bos, 0);
    ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_CHATML, "sys", t, 2, &s), IVL_OK);
    ck_assert_int_eq(ivl_prompt_text(IVL_TEMPLATE_CHATML, "sys", t, 2, &text), IVL_OK);
    ck_assert_int_eq(ivl_tokenizer_encode(tok, text, &ids, &n), IVL_OK);
    ck_assert_uint_eq(n, s.n);
    ck_assert_mem_eq(ids, s.ids, n * sizeof *ids);
    free(ids), free(text);
    ivl_sft_free(&s);
    ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_CHATML, NULL, t, 3, &s), IVL_OK);
    int ends = 0;
    int end = ivl_tokenizer_special(tok, ivl_template_end(IVL_TEMPLATE_CHATML));
    for (size_t i = 0; i < s.n; i++) ends += s.labels[i] == end;
    ck_assert_int_eq(ends, 3);
    text = learned(tok, &s);
    ck_assert_str_eq(text, "  the cat \n\nthe dog");
    free(text);
    ivl_sft_free(&s);
    ivl_template kind;
    char *system = (char *)"unset";
    ck_assert_int_eq(ivl_template_detect(tok, &kind, &system), IVL_OK);
    ck_assert_int_eq(kind, IVL_TEMPLATE_CHATML);
    ck_assert_ptr_null(system);
    ivl_tokenizer_close(tok);
}
END_TEST

/* SmolLM2's template has a system message of its own. */
START_TEST(detection)
{
    static const char jinja[] =
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n"
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\\n' }}{% endif %}"
        "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}";
    ivl_tokenizer *tok = open_tokenizer(true);
    ivl_template kind;
    char *system = NULL;
    ck_assert_int_eq(ivl_template_detect(tok, &kind, &system), IVL_OK);
    ck_assert_int_eq(kind, IVL_TEMPLATE_VICUNA);
    ck_assert_ptr_null(system);
    ivl_tokenizer_close(tok);
    ck_assert_int_eq(ivl_template_of_jinja(jinja, &kind, &system), IVL_OK);
    ck_assert_int_eq(kind, IVL_TEMPLATE_CHATML);
    ck_assert_str_eq(system, "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
    free(system);
    ck_assert_int_eq(ivl_template_of_jinja("{{ '<|im_start|>system\n' + s + '<|im_end|>' }}", &kind, &system), IVL_OK);
    ck_assert_ptr_null(system);
    ck_assert_int_eq(ivl_template_of_jinja("'USER: ' + m + ' ASSISTANT: '", &kind, &system), IVL_OK);
    ck_assert_int_eq(kind, IVL_TEMPLATE_VICUNA);
    ck_assert_int_eq(ivl_template_of_jinja("[INST] {{ m }} [/INST]", &kind, &system), IVL_EUNSUPPORTED);
}
END_TEST

START_TEST(plain_labels)
{
    ivl_tokenizer *tok = open_tokenizer(_i);
    ivl_codec c = ivl_codec_of(tok);
    ivl_turn t = { "Describe it.\n<image>", "a small cat" };
    ivl_sft s = { 0 };
    ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_PLAIN, NULL, &t, 1, &s), IVL_OK);
    ck_assert_int_eq(s.ids[0], 1);
    ck_assert_int_eq(s.ids[1], IVL_IMAGE_TOKEN);
    ck_assert_int_eq(s.labels[1], IVL_IGNORE);
    for (size_t i = 2; i < s.n; i++) ck_assert_int_eq(s.labels[i], s.ids[i]);
    ck_assert_int_eq(s.ids[s.n - 1], 13); /* the newline */
    ivl_sft_free(&s);
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(truncation)
{
    ivl_tokenizer *tok = open_tokenizer(true);
    ivl_codec c = ivl_codec_of(tok);
    ivl_turn t = { "<image>\nWhat?", "A cat" };
    size_t image = 0, whole = 0;
    for (size_t most = 0; most < 400; most++) {
        ivl_sft s = { 0 };
        ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_VICUNA, NULL, &t, 1, &s), IVL_OK);
        whole = ivl_sft_tokens(&s, 96);
        for (image = 0; s.ids[image] != IVL_IMAGE_TOKEN; image++) continue;
        ck_assert_uint_eq(whole, s.n + 95);
        ivl_sft_truncate(&s, most, 96);
        size_t left = ivl_sft_tokens(&s, 96), want = most;
        if (most > whole) want = whole;
        else if (most >= image && most < image + 96) want = image;
        ck_assert_uint_eq(left, want);
        bool any = false;
        for (size_t k = 0; k < s.n; k++) any = any || s.labels[k] != IVL_IGNORE;
        ck_assert_int_eq(s.learns, any);
        ck_assert(!any || left > image + 96);
        ivl_sft_free(&s);
    }
    ck_assert_uint_gt(whole, image + 96);
    ivl_tokenizer_close(tok);
}
END_TEST

START_TEST(errors)
{
    ivl_tokenizer *tok = open_tokenizer(true);
    ivl_codec c = ivl_codec_of(tok);
    ivl_sft s = { 0 };
    ivl_turn t = { "q", NULL };
    ck_assert_int_eq(ivl_sft_make(&c, IVL_TEMPLATE_VICUNA, NULL, &t, 1, &s), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "turn 1"));
    ivl_sft_free(&s), ivl_sft_free(NULL);
    ivl_tokenizer_close(tok);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("conversation");
    tcase_add_test(t, oracle_labels);
    tcase_add_test(t, oracle_prompts);
    tcase_add_test(t, other_texts);
    tcase_add_loop_test(t, chatml_labels, 0, 2);
    tcase_add_test(t, chatml_bpe);
    tcase_add_test(t, detection);
    tcase_add_loop_test(t, plain_labels, 0, 2);
    tcase_add_test(t, truncation);
    tcase_add_test(t, errors);
    return run_suite("conversation", t);
}
