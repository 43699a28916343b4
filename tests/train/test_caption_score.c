/* Caption tokens and scores against pycocoevalcap's; POPE against the rule and hand-made counts. */
#include "train/caption_score.h"
#include "train/pope.h"
#include "train/ptb.h"
#include "tests/suite.h"

#include <jansson.h>

static json_t *load(const char *path)
{
    json_t *all = json_load_file(source(path), 0, NULL);
    ck_assert_ptr_nonnull(all);
    return all;
}

START_TEST(tokens)
{
    json_t *all = load("tests/golden/caption/tokens.json"), *e;
    size_t i;
    json_array_foreach(all, i, e) {
        char *got = NULL;
        const char *text = json_string_value(json_object_get(e, "text"));
        ck_assert_int_eq(ivl_ptb_tokenize(text, &got), IVL_OK);
        ck_assert_msg(!strcmp(got, json_string_value(json_object_get(e, "tokens"))), "\"%s\" -> \"%s\"", text, got);
        free(got);
    }
    ck_assert_uint_ge(i, 160);
    json_decref(all);
}
END_TEST

START_TEST(any_bytes)
{
    for (int k = 0; k < 2000; k++) {
        char text[40], *got = NULL;
        uint32_t x = (uint32_t)k * 2654435761u + 1;
        for (int i = 0; i < 39; i++) {
            x = x * 1664525u + 1013904223u;
            char any = (char)(1 + (x >> 24) % 255), likely = "a'.@-/<>#0nst\xc3\xa9 "[(x >> 24) % 17];
            text[i] = k % 2 ? any : likely;
        }
        text[k % 40] = 0, text[39] = 0;
        ck_assert_int_eq(ivl_ptb_tokenize(text, &got), IVL_OK);
        free(got);
    }
}
END_TEST

static double number(const json_t *e, const char *key) { return json_number_value(json_object_get(e, key)); }

static void check_corpus(const json_t *e)
{
    const json_t *captions = json_object_get(e, "captions"), *each = json_object_get(e, "each");
    const json_t *bleu = json_object_get(e, "bleu");
    int n = (int)json_array_size(captions);
    ivl_caption_case c[64];
    const char *reference[64][8];
    double mine[64];
    for (int i = 0; i < n; i++) {
        const json_t *refs = json_array_get(json_object_get(e, "references"), (size_t)i);
        c[i].caption = json_string_value(json_array_get(captions, (size_t)i));
        c[i].reference = reference[i], c[i].n_references = (int)json_array_size(refs);
        for (size_t r = 0; r < json_array_size(refs); r++) reference[i][r] = json_string_value(json_array_get(refs, r));
    }
    ivl_caption_scores s;
    ck_assert_int_eq(ivl_caption_score(c, n, &s, mine), IVL_OK);
    ck_assert_double_eq_tol(s.cider, number(e, "cider"), 1e-9);
    ck_assert_double_eq_tol(s.cider_plain, number(e, "cider_plain"), 1e-9);
    ck_assert_double_eq_tol(s.rouge_l, number(e, "rouge_l"), 1e-9);
    for (int i = 0; i < n; i++)
        ck_assert_double_eq_tol(mine[i], json_number_value(json_array_get(each, (size_t)i)), 1e-9);
    for (int k = 0; k < 4; k++)
        ck_assert_double_eq_tol(s.bleu[k], json_number_value(json_array_get(bleu, (size_t)k)), 1e-9);
}

START_TEST(scores)
{
    json_t *all = load("tests/golden/caption/scores.json"), *e;
    size_t i;
    json_array_foreach(all, i, e) check_corpus(e);
    ck_assert_uint_eq(i, 4);
    json_decref(all);
}
END_TEST

START_TEST(many_words) /* tables that grow */
{
    enum { N = 300 };
    static char text[N][400];
    static const char *ref[N][1];
    static ivl_caption_case c[N];
    for (int i = 0; i < N; i++) {
        for (int w = 0, at = 0; w < 30; w++)
            at += snprintf(text[i] + at, sizeof text[i] - (size_t)at, "w%d ", (i * 31 + w * w) % 4000);
        ref[i][0] = text[i];
        c[i] = (ivl_caption_case){ text[i], ref[i], 1 };
    }
    ivl_caption_scores s;
    ck_assert_int_eq(ivl_caption_score(c, N, &s, NULL), IVL_OK);
    ck_assert_double_eq_tol(s.cider, 10, 1e-9); /* each is its own reference */
    ck_assert_double_eq_tol(s.cider_plain, 10, 1e-9);
    ck_assert_double_eq_tol(s.bleu[3], 1, 1e-9);
    c[7].n_references = 0;
    ck_assert_int_eq(ivl_caption_score(c, N, &s, NULL), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "caption 7"));
}
END_TEST

START_TEST(pope)
{
    static const struct { const char *reply; bool yes; } t[] = {
        { "Yes", true },           { "No", false },
        { "no", false },           { "No, there is none.", false },
        { "Yes, there is.", true },  { "There is no dog.", false },
        { "There is not a dog", false }, { "A dog. No cat.", true },
        { "Nothing", true },       { "NO", true },
        { "", true },              { "yes, not sure", false },
        { "n,o", false },          { "Yes there is a knot", true },
    };
    ivl_pope p = { 0 };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) ck_assert_int_eq(ivl_pope_says_yes(t[i].reply), t[i].yes);
    ivl_pope_scores none = ivl_pope_score(&p);
    ck_assert(none.f1 == 0 && none.accuracy == 0);
    for (int i = 0; i < 10; i++) ivl_pope_add(&p, i < 6, i % 2 == 0); /* yes 3 + 3, no 2 + 2 */
    ivl_pope_scores s = ivl_pope_score(&p);
    ck_assert_double_eq_tol(s.accuracy, 0.5, 1e-12);
    ck_assert_double_eq_tol(s.precision, 0.5, 1e-12);
    ck_assert_double_eq_tol(s.recall, 0.6, 1e-12);
    ck_assert_double_eq_tol(s.f1, 2 * 0.5 * 0.6 / 1.1, 1e-12);
    ck_assert_double_eq_tol(s.yes_ratio, 0.6, 1e-12);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("caption_score");
    tcase_add_test(t, tokens);
    tcase_add_test(t, any_bytes);
    tcase_add_test(t, scores);
    tcase_add_test(t, many_words);
    tcase_add_test(t, pope);
    return run_suite("caption_score", t);
}
