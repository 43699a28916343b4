/* Perplexity and logits of a small language model: against sums over the logits it wrote, the same bits from a GGUF
 * file and back, windows that do not matter where nothing is out of sight, and texts and windows that are refused. */
#include "runtime/npy.h"
#include "tests/train/llm_folder.h"
#include "train/convert.h"
#include "train/perplexity.h"

#include <jansson.h>

static char dir[] = "/tmp/ivl-perplexity-XXXXXX", model[80], words[80];
static ivl_device *dev;

static const char *at(const char *name)
{
    static char text[16][80];
    static int turn;
    char *t = text[turn++ & 15];
    snprintf(t, sizeof text[0], "%s/%s", dir, name);
    return t;
}

static void put(const char *name, const char *text, size_t n)
{
    ivl_out_file out;
    ok(ivl_out_open(at(name), &out));
    ck_assert_uint_eq(fwrite(text, 1, n, out.f), n);
    ok(ivl_out_commit(&out));
}

static void setup(void)
{
    static const char text[] = "The capital of Japan is Tokyo.\nIt has 12 towers, and 3 of them are red.";
    ivl_text_config c = llm_config(64, true, true);
    double scale = 0.2;
    c.max_positions = 64;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(model, sizeof model, "%s/hf", dir), snprintf(words, sizeof words, "%s/words.txt", dir);
    llm_make(model, &c, NULL, false, &scale);
    put("words.txt", text, sizeof text - 1);
}
static void teardown(void) { remove_tree(dir); }
static void open_device(void) { ok(ivl_device_open("host", &dev)); }
static void close_device(void) { ivl_device_close(dev); }

static ivl_perplexity measure(const char *from, const char *logits, const char *out, int window)
{
    ivl_perplexity p;
    ivl_perplexity_options o = { .compute = IVL_F32, .window = window, .logits = logits, .out = out };
    ok(ivl_eval_perplexity(from, dev, words, &o, &p));
    return p;
}

START_TEST(sums)
{
    ivl_perplexity p = measure(model, at("l.npy"), at("p.json"), 0);
    json_t *j = json_load_file(at("p.json"), 0, NULL), *ids = json_object_get(j, "ids");
    ivl_npy npy;
    double loss = 0;
    ok(ivl_npy_open(at("l.npy"), &npy));
    ck_assert_int_eq(npy.rows, p.tokens);
    ck_assert_int_eq(npy.cols, 400);
    ck_assert(p.tokens > 20 && p.scored == p.tokens - 1 && json_array_size(ids) == (size_t)p.tokens);
    for (int64_t i = 0; i + 1 < p.tokens; i++) {
        const float *x = npy.x + i * 400;
        double sum = 0, log_p = json_real_value(json_array_get(json_object_get(j, "log_probability"), (size_t)i + 1));
        for (int k = 0; k < 400; k++) sum += exp((double)x[k]);
        double mine = log(sum) - (double)x[json_integer_value(json_array_get(ids, (size_t)i + 1))];
        ck_assert_msg(fabs(mine + log_p) < 1e-4 * fabs(mine), "token %d: %g, %g", (int)i + 1, mine, log_p);
        loss += mine / (double)p.scored;
    }
    ck_assert_double_eq_tol(loss, p.loss, 1e-9);
    ck_assert_double_eq_tol(exp(loss), p.perplexity, 1e-6);
    ivl_npy_close(&npy), json_decref(j);
}
END_TEST

START_TEST(same_bits)
{
    static const struct { const char *name; bool gguf; } step[] = { { "a.gguf", true }, { "hf2", false },
                                                                    { "b.gguf", true } };
    char *want = NULL, *got = NULL;
    size_t n = 0, m = 0;
    const char *from = model;
    measure(model, at("want.npy"), NULL, 0);
    ok(ivl_read_file(at("want.npy"), 0, &want, &n));
    for (int i = 0; i < 3; i++) {
        ivl_convert_report r;
        ivl_convert_options o = { .gguf = step[i].gguf, .has_dtype = true, .dtype = IVL_F32 };
        ok(ivl_convert_model(from, at(step[i].name), &o, &r));
        ivl_convert_report_free(&r);
        from = at(step[i].name);
        measure(from, at("got.npy"), NULL, 0);
        ok(ivl_read_file(at("got.npy"), 0, &got, &m));
        ck_assert_msg(n == m && !memcmp(want, got, n), "%s", step[i].name);
        free(got);
    }
    free(want);
}
END_TEST

/* A quantised file, whose blocks stay as they are, against its values in f32. */
START_TEST(same_from_blocks)
{
    static const ivl_dtype type[] = { IVL_Q8_0, IVL_Q4_0, IVL_Q4_1 };
    char *want = NULL, *got = NULL;
    size_t n = 0, m = 0;
    for (int i = 0; i < 3; i++) {
        ivl_convert_report r;
        ivl_convert_options o = { .gguf = true, .has_dtype = true, .dtype = type[i] };
        ok(ivl_convert_model(model, at("q.gguf"), &o, &r));
        ivl_convert_report_free(&r);
        o = (ivl_convert_options){ .has_dtype = true, .dtype = IVL_F32 };
        ok(ivl_convert_model(at("q.gguf"), at("plain"), &o, &r));
        ivl_convert_report_free(&r);
        measure(at("q.gguf"), at("got.npy"), NULL, 0), measure(at("plain"), at("want.npy"), NULL, 0);
        ok(ivl_read_file(at("got.npy"), 0, &got, &m)), ok(ivl_read_file(at("want.npy"), 0, &want, &n));
        ck_assert_msg(n == m && !memcmp(want, got, n), "%s", ivl_dtype_name(type[i]));
        free(got), free(want);
        remove_tree(at("plain"));
    }
}
END_TEST

/* Rows of the first window are what they were; later ones know half a window at least. */
START_TEST(windows)
{
    ivl_perplexity p = measure(model, at("whole.npy"), NULL, 0), q = measure(model, at("parts.npy"), NULL, 16);
    ivl_npy a, b;
    ok(ivl_npy_open(at("whole.npy"), &a)), ok(ivl_npy_open(at("parts.npy"), &b));
    ck_assert(p.tokens == q.tokens && a.rows == b.rows && a.rows > 24);
    for (int64_t i = 0; i < 16 * 400; i++) ck_assert(fabs((double)a.x[i] - (double)b.x[i]) < 1e-4);
    double off = 0;
    for (int64_t i = 16 * 400; i < 24 * 400; i++) off = fmax(off, fabs((double)a.x[i] - (double)b.x[i]));
    ck_assert(off > 1e-3); /* something was out of sight */
    ck_assert(fabs(p.loss - q.loss) < 0.5 && p.loss != q.loss);
    ivl_npy_close(&a), ivl_npy_close(&b);
}
END_TEST

START_TEST(refused)
{
    ivl_perplexity p;
    ivl_perplexity_options o = { .compute = IVL_F32 };
    put("empty.txt", "", 0), put("nul.txt", "a\0b", 3);
    ck_assert_int_eq(ivl_eval_perplexity(model, dev, at("empty.txt"), &o, &p), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "empty.txt"));
    ck_assert_int_eq(ivl_eval_perplexity(model, dev, at("nul.txt"), &o, &p), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "nul.txt"));
    o.window = 65;
    ck_assert_int_eq(ivl_eval_perplexity(model, dev, words, &o, &p), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "2 to 64"));
    ivl_text_config c = llm_config(64, true, false);
    c.vocab = 300;
    llm_make(at("small"), &c, NULL, false, NULL);
    ck_assert_int_eq(ivl_eval_perplexity(at("small"), dev, words, &o, &p), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "400 tokens and the model 300"));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("perplexity");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_checked_fixture(t, open_device, close_device);
    tcase_add_test(t, sums);
    tcase_add_test(t, same_bits);
    tcase_add_test(t, same_from_blocks);
    tcase_add_test(t, windows);
    tcase_add_test(t, refused);
    return run_suite("perplexity", t);
}
