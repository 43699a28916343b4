/* Decoding against the oracle's search() and transformers' generate over a toy language whose scores depend on the last
 * two tokens; batches against single rows; sampling against the probabilities. */
#include "train/decode.h"
#include "tests/suite.h"

#include <jansson.h>

enum { LANES = 32, VOCAB = 128, EOS = 2 };

/* As tests/train/make_decode_golden.py has it. */
static void scores(const int32_t pair[2], int vocab, int boost, float *out)
{
    for (int v = 0; v < vocab; v++) {
        uint32_t x = (uint32_t)pair[0] * 2654435761u + (uint32_t)pair[1] * 2246822519u + (uint32_t)v * 3266489917u +
                     374761393u;
        x ^= x >> 15, x *= 2246822519u;
        x ^= x >> 13, x *= 3266489917u;
        x ^= x >> 16;
        out[v] = (float)((x >> 16) / 8192.0 - 4 + (v == EOS ? boost / 16.0 : 0));
    }
}

typedef struct toy { int lanes, vocab, boost, steps, heard, stop_after; int32_t pair[LANES][2]; } toy;

static void all_scores(const toy *t, float *logits)
{
    for (int i = 0; i < t->lanes; i++) scores(t->pair[i], t->vocab, t->boost, logits + (size_t)i * (size_t)t->vocab);
}

static ivl_status step(void *ctx, const int32_t *token, float *logits)
{
    toy *t = ctx;
    for (int i = 0; i < t->lanes; i++) t->pair[i][0] = t->pair[i][1], t->pair[i][1] = token[i];
    t->steps++;
    all_scores(t, logits);
    return IVL_OK;
}

static ivl_status reorder(void *ctx, const int32_t *parent)
{
    toy *t = ctx, old = *t;
    for (int i = 0; i < t->lanes; i++) memcpy(t->pair[i], old.pair[parent[i]], sizeof t->pair[i]);
    return IVL_OK;
}

static bool heard(void *ctx, int row, int32_t token)
{
    toy *t = ctx;
    (void)row, (void)token;
    return ++t->heard != t->stop_after;
}

typedef struct run { ivl_decode_options o; int vocab, boost, rows; int32_t pair[LANES][2]; bool with_prompt; } run;

static ivl_status decode(const run *r, int32_t *out, int32_t *len)
{
    static float logits[LANES * VOCAB];
    const int32_t *prompt[LANES];
    int two[LANES];
    toy t = { .lanes = r->rows * r->o.beams, .vocab = r->vocab, .boost = r->boost };
    for (int i = 0; i < t.lanes; i++) memcpy(t.pair[i], r->pair[i / r->o.beams], sizeof t.pair[i]);
    for (int i = 0; i < r->rows; i++) prompt[i] = r->pair[i], two[i] = 2;
    all_scores(&t, logits);
    ivl_decode_model m = { &t, r->vocab, step, reorder, NULL };
    ivl_decode_rows rows = { r->rows, r->with_prompt ? prompt : NULL, two, NULL };
    return ivl_decode(&r->o, &m, &rows, logits, out, len);
}

static double number(const json_t *e, const char *key, double otherwise)
{
    const json_t *v = json_object_get(e, key);
    return v ? json_number_value(v) : otherwise;
}

static run run_of(const json_t *e)
{
    run r = { .o = ivl_decode_defaults(), .vocab = (int)number(e, "vocab", 0), .boost = (int)number(e, "boost", 0) };
    r.o.beams = (int)number(e, "beams", 1), r.o.max_new = (int)number(e, "max_new", 1);
    r.o.min_new = (int)number(e, "min_new", 0), r.o.length_penalty = number(e, "length_penalty", 1);
    r.o.repetition_penalty = number(e, "repetition_penalty", 1);
    r.o.no_repeat_ngram = (int)number(e, "no_repeat_ngram", 0);
    r.o.eos[0] = EOS, r.o.n_eos = 1;
    const json_t *prompt = json_object_get(e, "prompt"), *eos = json_object_get(e, "eos");
    for (int i = 0; i < (int)json_array_size(eos); r.o.n_eos = ++i)
        r.o.eos[i] = (int32_t)json_integer_value(json_array_get(eos, (size_t)i));
    r.rows = (int)json_array_size(prompt);
    for (int i = 0; i < r.rows; i++)
        for (int k = 0; k < 2; k++)
            r.pair[i][k] = (int32_t)json_integer_value(json_array_get(json_array_get(prompt, (size_t)i), (size_t)k));
    return r;
}

static void compare(const json_t *e, size_t number_of, bool with_prompt)
{
    int32_t out[LANES * 16], len[LANES];
    run r = run_of(e);
    r.with_prompt = with_prompt;
    ck_assert_msg(decode(&r, out, len) == IVL_OK, "%s", ivl_last_error());
    for (int i = 0; i < r.rows; i++) {
        const json_t *want = json_array_get(json_object_get(e, "tokens"), (size_t)i);
        ck_assert_msg((size_t)len[i] == json_array_size(want), "case %zu row %d: %d tokens, not %zu", number_of, i,
                      len[i], json_array_size(want));
        for (int k = 0; k < r.o.max_new; k++) {
            int token = k < len[i] ? (int)json_integer_value(json_array_get(want, (size_t)k)) : 0;
            ck_assert_msg(out[i * r.o.max_new + k] == token, "case %zu row %d token %d: %d, not %d", number_of, i, k,
                          out[i * r.o.max_new + k], token);
        }
        run one = r; /* a row of a batch and by itself */
        int32_t alone[16], n = 0;
        memcpy(one.pair[0], r.pair[i], sizeof one.pair[0]), one.rows = 1;
        ck_assert_int_eq(decode(&one, alone, &n), IVL_OK);
        ck_assert_int_eq(n, len[i]);
        ck_assert_mem_eq(alone, out + i * r.o.max_new, (size_t)r.o.max_new * sizeof *alone);
    }
}

static void compare_file(const char *path, bool with_prompt, size_t cases)
{
    json_t *all = json_load_file(source(path), 0, NULL), *e;
    size_t i;
    ck_assert_ptr_nonnull(all);
    json_array_foreach(all, i, e) compare(e, i, with_prompt);
    ck_assert_uint_eq(i, cases);
    json_decref(all);
}

START_TEST(oracle) { compare_file("tests/golden/decode/search.json", false, 56); }
END_TEST
START_TEST(transformers) { compare_file("tests/golden/decode/rules.json", true, 120); }
END_TEST

static run sampling(double temperature, double top_p, int top_k)
{
    run r = { .o = ivl_decode_defaults(), .vocab = 12, .rows = 1, .pair = { { 3, 4 } } };
    r.o.temperature = temperature, r.o.top_p = top_p, r.o.top_k = top_k, r.o.max_new = 1;
    return r;
}

START_TEST(samples)
{
    static const struct { double temperature, top_p; int top_k; } how[] = { { 1, 1, 0 }, { 0.7, 1, 0 }, { 2, 0.8, 0 },
                                                                            { 1, 1, 3 }, { 1.5, 0.6, 5 } };
    run r = sampling(how[_i].temperature, how[_i].top_p, how[_i].top_k);
    float x[12];
    double p[12], sum = 0, before = 0, kept = 0;
    int count[12] = { 0 }, order[12];
    scores(r.pair[0], 12, 0, x);
    for (int v = 0; v < 12; v++) sum += p[v] = exp(x[v] / r.o.temperature), order[v] = v;
    for (int i = 0; i < 12; i++)
        for (int j = i + 1; j < 12; j++)
            if (p[order[j]] > p[order[i]]) { int t = order[i]; order[i] = order[j], order[j] = t; }
    if (r.o.top_k) {
        sum = 0;
        for (int i = 0; i < 12; i++) i < r.o.top_k ? (void)(sum += p[order[i]]) : (void)(p[order[i]] = 0);
    }
    for (int i = 0; i < 12; i++) {
        double mine = p[order[i]];
        if (before >= r.o.top_p * sum && r.o.top_p < 1) p[order[i]] = 0;
        before += mine, kept += p[order[i]];
    }
    for (int k = 0; k < 4000; k++) {
        int32_t token, n;
        r.o.seed = (uint64_t)k;
        ck_assert_int_eq(decode(&r, &token, &n), IVL_OK);
        count[token]++;
    }
    for (int v = 0; v < 12; v++) {
        double want = 4000 * p[v] / kept;
        ck_assert_msg(fabs(count[v] - want) <= 4.5 * sqrt(want) + (want > 0), "token %d: %d, %.1f expected", v,
                      count[v], want);
    }
}
END_TEST

START_TEST(sampling_repeats)
{
    run r = sampling(1, 0.9, 0);
    int32_t a[4 * 16], b[4 * 16], n[4], m[4];
    r.o.max_new = 16, r.rows = 4, r.vocab = 100;
    for (int i = 0; i < 4; i++) r.pair[i][0] = 5, r.pair[i][1] = 6;
    ck_assert_int_eq(decode(&r, a, n), IVL_OK);
    ck_assert_int_eq(decode(&r, b, m), IVL_OK);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_mem_ne(a, a + 16, 16 * sizeof *a); /* rows draw numbers of their own */
    r.o.temperature = 1e-6;
    ck_assert_int_eq(decode(&r, a, n), IVL_OK);
    r.o.temperature = 0;
    ck_assert_int_eq(decode(&r, b, m), IVL_OK);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

START_TEST(streaming)
{
    float logits[2 * VOCAB];
    int32_t out[2 * 8], len[2];
    toy t = { .lanes = 2, .vocab = 50, .stop_after = 5, .pair = { { 3, 4 }, { 5, 6 } } };
    ivl_decode_options o = ivl_decode_defaults();
    o.max_new = 8;
    ivl_decode_model m = { &t, 50, step, NULL, heard };
    ivl_decode_rows rows = { .n = 2 };
    all_scores(&t, logits);
    ck_assert_int_eq(ivl_decode(&o, &m, &rows, logits, out, len), IVL_OK);
    ck_assert_int_eq(len[0], 3); /* the fifth token heard was its third */
    ck_assert_int_eq(len[1], 8);
    ck_assert_int_eq(t.heard, 11);
    ck_assert_int_eq(t.steps, 7);
}
END_TEST

static ivl_status broken(void *ctx, const int32_t *token, float *logits)
{
    (void)ctx, (void)token;
    logits[1] = NAN;
    return IVL_OK;
}

START_TEST(errors)
{
    float logits[2 * VOCAB] = { 0 };
    int32_t out[16], len[2];
    ivl_decode_options o = ivl_decode_defaults(), bad[8];
    for (int i = 0; i < 8; i++) bad[i] = o;
    bad[0].beams = 0, bad[1].max_new = 0, bad[2].temperature = -1, bad[3].top_p = 0, bad[4].repetition_penalty = 0;
    bad[5].eos[0] = 50, bad[5].n_eos = 1, bad[6].beams = 2, bad[7].beams = 2, bad[7].temperature = 1;
    ivl_decode_model m = { NULL, 50, broken, NULL, NULL };
    ivl_decode_rows rows = { .n = 1 };
    for (int i = 0; i < 8; i++) ck_assert_int_ne(ivl_decode(&bad[i], &m, &rows, logits, out, len), IVL_OK);
    o.max_new = 8;
    ck_assert_int_eq(ivl_decode(&o, &m, &rows, logits, out, len), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "token 1"));
    m.reorder = reorder, o.beams = 2;
    toy t = { .lanes = 2 };
    m.ctx = &t;
    logits[1] = 0;
    ck_assert_int_eq(ivl_decode(&o, &m, &rows, logits, out, len), IVL_EINVAL);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("decode");
    tcase_add_test(t, oracle);
    tcase_add_test(t, transformers);
    tcase_add_loop_test(t, samples, 0, 5);
    tcase_add_test(t, sampling_repeats);
    tcase_add_test(t, streaming);
    tcase_add_test(t, errors);
    return run_suite("decode", t);
}
