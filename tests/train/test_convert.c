/* Converting a small language model there and back: bits, names, tokenizer, and what is refused. */
#include "data/bpe.h"
#include "data/tokenizer.h"
#include "model/gguf.h"
#include "runtime/dtype.h"
#include "tests/train/llm_folder.h"
#include "train/convert.h"

static char dir[] = "/tmp/ivl-convert-XXXXXX";
static void make_dir(void) { ck_assert_ptr_nonnull(mkdtemp(dir)); }
static void drop_dir(void) { remove_tree(dir); }

/* "DIR/name"; valid for 255 calls more. */
static const char *at(const char *name)
{
    static char text[256][64];
    static int turn;
    char *t = text[turn++ & 255];
    snprintf(t, sizeof text[0], "%s/%s", dir, name);
    return t;
}

/* A Hugging Face folder; without the tensor `gone`, with an unknown one if `extra`. */
static const char *make_model(const char *name, ivl_text_config c, const char *gone, bool extra)
{
    const char *folder = at(name);
    llm_make(folder, &c, gone, extra, NULL);
    return folder;
}

static void convert(const char *in, const char *out, bool gguf, ivl_dtype t)
{
    ivl_convert_report r;
    ok(ivl_convert_model(in, out, &(ivl_convert_options){ .gguf = gguf, .has_dtype = true, .dtype = t }, &r));
    ck_assert_int_eq(r.load.n, 0);
    ck_assert_str_eq(r.tokenizer, "kept");
    ivl_convert_report_free(&r);
}

/* Largest difference of two models, tensor by tensor, over the largest value. */
static double distance(const char *a, const char *b)
{
    ivl_weights *x = NULL, *y = NULL;
    double worst = 0;
    ok(ivl_weights_open(a, &x)), ok(ivl_weights_open(b, &y));
    ck_assert_int_eq(ivl_weights_count(x), ivl_weights_count(y));
    for (int i = 0; i < ivl_weights_count(x); i++) {
        const ivl_weights_tensor *p = ivl_weights_at(x, i), *q = ivl_weights_find(y, p->name);
        ck_assert_msg(q && q->elements == p->elements && q->rank == p->rank, "%s", p->name);
        float *u = malloc((size_t)p->elements * sizeof *u), *v = malloc((size_t)p->elements * sizeof *v);
        double most = 0, off = 0;
        ok(ivl_weights_read(x, p, 0, p->elements, IVL_F32, u)), ok(ivl_weights_read(y, q, 0, q->elements, IVL_F32, v));
        for (int64_t k = 0; k < p->elements; k++) {
            most = fmax(most, fabs((double)u[k])), off = fmax(off, fabs((double)u[k] - (double)v[k]));
            if (u[k] != v[k]) ck_assert(off > 0);
        }
        worst = fmax(worst, off / most);
        free(u), free(v);
    }
    ivl_weights_close(x), ivl_weights_close(y);
    return worst;
}

START_TEST(test_there_and_back)
{
    static const struct { ivl_dtype t; double most; } type[] = { { IVL_F32, 0 },      { IVL_F16, 0x1p-11 },
                                                                 { IVL_BF16, 0x1p-8 }, { IVL_Q8_0, 1.01 / 254 },
                                                                 { IVL_Q4_1, 1.01 / 15 }, { IVL_Q4_0, 1.01 / 8 } };
    const char *hf = make_model("hf", llm_config(64, _i & 1, _i & 2), NULL, false);
    convert(hf, at("f32.gguf"), true, IVL_F32);
    convert(at("f32.gguf"), at("back"), false, IVL_F32);
    ck_assert(distance(hf, at("f32.gguf")) == 0);
    ck_assert(distance(hf, at("back")) == 0);
    for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
        convert(hf, at("x.gguf"), true, type[i].t);
        double d = distance(hf, at("x.gguf"));
        ck_assert_msg(d <= type[i].most, "%s: %g", ivl_dtype_name(type[i].t), d);
        convert(at("x.gguf"), at("y"), false, IVL_F32); /* what a GGUF file holds survives in f32 */
        ck_assert(distance(at("x.gguf"), at("y")) == 0);
        convert(at("y"), at("z.gguf"), true, IVL_F32);
        ck_assert(distance(at("x.gguf"), at("z.gguf")) == 0);
    }
    ivl_text_config a, b;
    ivl_weights *w = NULL;
    ok(ivl_llm_config_load(hf, NULL, &a));
    ok(ivl_weights_open(at("f32.gguf"), &w));
    ok(ivl_llm_config_load("", w, &b));
    ck_assert(a.eps == b.eps && a.rope_theta == b.rope_theta && a.tie_embeddings == b.tie_embeddings &&
              a.attention_bias == b.attention_bias && a.kv_heads == b.kv_heads && a.mlp == b.mlp);
    ivl_weights_close(w);
}
END_TEST

START_TEST(test_tokenizer)
{
    const char *text = "The capital of Japan\n\n  is 12 Tokyo.<|im_end|>";
    const char *hf = make_model("hf", llm_config(64, true, false), NULL, false);
    convert(hf, at("a.gguf"), true, IVL_F16);
    convert(at("a.gguf"), at("b"), false, IVL_F16);
    const char *const where[] = { hf, at("a.gguf"), at("b") };
    int32_t *want = NULL;
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        ivl_tokenizer *tok = NULL;
        int32_t *ids = NULL;
        size_t got = 0;
        ok(ivl_tokenizer_open(where[i], &tok));
        ok(ivl_tokenizer_encode(tok, text, &ids, &got));
        ck_assert(ivl_tokenizer_eos(tok) == 2 && ivl_tokenizer_bos(tok) == -1 && ivl_tokenizer_size(tok) == 400);
        ck_assert_ptr_nonnull(strstr(ivl_tokenizer_chat_template(tok), "<|im_start|>"));
        if (!want) want = ids, n = got;
        else {
            ck_assert(n == got && !memcmp(want, ids, n * sizeof *ids));
            free(ids);
        }
        ivl_tokenizer_close(tok);
    }
    free(want);
    static const char *const rule[] = { "gpt-2", "default", "smollm" }; /* a rule survives in tokenizer.json */
    for (int i = 0; i < 3; i++) {
        char file[100];
        snprintf(file, sizeof file, "tests/golden/bpe/%s.gguf", rule[i]);
        ivl_tokenizer *tok = NULL, *again = NULL;
        ok(ivl_tokenizer_open(source(file), &tok));
        ok(ivl_make_dirs(at("t")));
        ok(ivl_bpe_save(ivl_tokenizer_bpe(tok), at("t")));
        ok(ivl_tokenizer_open(at("t"), &again));
        ck_assert_int_eq(ivl_bpe_info_of(ivl_tokenizer_bpe(tok)).rule, ivl_bpe_info_of(ivl_tokenizer_bpe(again)).rule);
        ivl_tokenizer_close(tok), ivl_tokenizer_close(again);
    }
}
END_TEST

/* A tokenizer.model goes into a GGUF file and comes back, with BOS or, as the file beside it may say, without (_i). */
START_TEST(test_sentencepiece)
{
    const char *text = "USER: Where is the cat? ASSISTANT: d\xc3\xa9j\xc3\xa0 vu 12</s>";
    ivl_text_config c = llm_config(64, false, false);
    c.vocab = 420;
    const char *hf = make_model("sp", c, NULL, false), *const where[] = { hf, at("sp.gguf"), at("sp-back") };
    llm_copy(source("tests/golden/odd/tokenizer.model"), hf, "tokenizer.model");
    if (!_i) ck_assert_int_eq(remove(at("sp/tokenizer_config.json")), 0);
    convert(hf, where[1], true, IVL_Q8_0);
    convert(where[1], where[2], false, IVL_F32);
    int32_t *want = NULL;
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        ivl_tokenizer *tok = NULL;
        int32_t *ids = NULL;
        size_t got = 0;
        ok(ivl_tokenizer_open(where[i], &tok));
        ck_assert_ptr_null(ivl_tokenizer_bpe(tok));
        ck_assert_int_eq(ivl_tokenizer_chat_template(tok) != NULL, _i);
        ok(ivl_tokenizer_encode(tok, text, &ids, &got));
        ck_assert(!i || (n == got && !memcmp(want, ids, n * sizeof *ids)));
        if (i) free(ids);
        else want = ids, n = got;
        ivl_tokenizer_close(tok);
    }
    ck_assert(n > 10 && (want[0] == 1) == !_i && want[n - 1] == 2);
    free(want);
}
END_TEST

START_TEST(test_report)
{
    ivl_convert_report r;
    ivl_convert_options to_gguf = { .gguf = true, .has_dtype = true, .dtype = IVL_Q8_0 }, to_hf = to_gguf;
    to_hf.gguf = false;
    const char *hf = make_model("lacks", llm_config(64, true, false), "model.layers.1.mlp.up_proj.weight", false);
    ck_assert_int_eq(ivl_convert_model(hf, at("no.gguf"), &to_gguf, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "missing: model.layers.1.mlp.up_proj.weight"));
    ivl_convert_report_free(&r);
    hf = make_model("odd", llm_config(72, true, false), NULL, true);
    ok(ivl_convert_model(hf, at("odd.gguf"), &to_gguf, &r));
    ck_assert_int_eq(ivl_load_count(&r.load, IVL_NOTE_EXTRA), 1);
    ck_assert_int_eq(ivl_load_count(&r.load, IVL_NOTE_TYPE), 1 + 2 * 6); /* only mlp.down_proj has rows of 96 */
    ivl_convert_report_free(&r);
    ck_assert_int_eq(ivl_convert_model(hf, at("q"), &to_hf, &r), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "q8_0 cannot be written to safetensors"));
    ivl_convert_report_free(&r);
    ck_assert_int_eq(ivl_convert_model(hf, hf, &to_gguf, &r), IVL_EINVAL);
    ivl_convert_report_free(&r);
    ivl_text_config c = llm_config(72, true, false);
    c.mlp = 64;
    char path[200];
    snprintf(path, sizeof path, "%s/config.json", hf);
    ok(ivl_llm_config_save(&c, IVL_F32, path));
    ck_assert_int_eq(ivl_convert_model(hf, at("no.gguf"), &to_gguf, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(
        strstr(ivl_last_error(), "wrong shape: model.layers.0.mlp.down_proj.weight [72,96], [72,64] wanted"));
    ivl_convert_report_free(&r);
}
END_TEST

/* tests/golden/pth/vit.pth: two layers of width 8, f16 but for the embeddings; values (i - 12) / 4. */
START_TEST(test_vision)
{
    ivl_convert_report r;
    ivl_model_config c = ivl_config_default();
    c.vit = (ivl_vit_config){ .width = 8,
                              .mlp = 12,
                              .layers = 2,
                              .heads = 2,
                              .channels = 3,
                              .patch = 2,
                              .image_size = 4,
                              .qk_norm = true,
                              .eps = 1e-6,
                              .layer_scale = 0.1,
                              .init_std = 0.02 };
    c.pool_heads = 1;
    ok(ivl_config_save(&c, IVL_F32, at("vit.json")));
    const char *pth = source("tests/golden/pth/vit.pth");
    ivl_convert_options o = { .has_dtype = true, .dtype = IVL_F16, .config = at("vit.json") };
    ok(ivl_convert_model(pth, at("vit"), &o, &r));
    ck_assert(r.tensors == 4 + 2 * 13 && r.load.n == 0);
    ivl_convert_report_free(&r);
    ck_assert(distance(pth, at("vit")) == 0);
    o.config = NULL;
    ck_assert_int_eq(ivl_convert_model(pth, at("no"), &o, &r), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "--config"));
    ivl_convert_report_free(&r);
    c.vit.mlp = 16;
    ok(ivl_config_save(&c, IVL_F32, at("vit.json")));
    o.config = at("vit.json");
    ck_assert_int_eq(ivl_convert_model(pth, at("no"), &o, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(
        strstr(ivl_last_error(), "wrong shape: encoder.layers.0.mlp.fc1.weight [12,8], [16,8] wanted"));
    ivl_convert_report_free(&r);
    o.gguf = true;
    ck_assert_int_eq(ivl_convert_model(pth, at("no.gguf"), &o, &r), IVL_EUNSUPPORTED);
    ivl_convert_report_free(&r);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("convert");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, make_dir, drop_dir);
    tcase_add_loop_test(t, test_there_and_back, 0, 4);
    tcase_add_test(t, test_tokenizer);
    tcase_add_loop_test(t, test_sentencepiece, 0, 2);
    tcase_add_test(t, test_report);
    tcase_add_test(t, test_vision);
    return run_suite("convert", t);
}
