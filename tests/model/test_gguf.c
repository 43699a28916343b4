/* GGUF files: written and read back, every storage type; LLaMA's names, sizes and row order; damaged files. */
#include "model/gguf.h"

#include "runtime/dtype.h"
#include "runtime/file.h"
#include "tests/suite.h"

enum { WIDTH = 64, HEADS = 4, KV = 2, MLP = 96, VOCAB = 11 };

static char dir[] = "/tmp/ivl-gguf-XXXXXX", path[64];
static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.gguf", dir);
}
static void drop_dir(void) { remove_tree(dir); }

#define ok(call) ck_assert_msg((call) == IVL_OK, "%s", ivl_last_error())
static void refused(ivl_status s, ivl_status want, const char *text)
{
    ck_assert_int_eq(s, want);
    ck_assert_msg(strstr(ivl_last_error(), text), "'%s' is not in: %s", text, ivl_last_error());
}

/* Element i of a tensor: small and exact in every type of 16 bits. */
static float value(int64_t i) { return (float)(i * 37 % 255 - 127) / 8; }

static ivl_status fill(const ivl_gguf_item *item, int64_t first, int64_t n, void *dst)
{
    (void)item;
    for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = value(first + i);
    return IVL_OK;
}

static ivl_gguf_item item(const char *name, ivl_dtype t, int64_t rows, int64_t cols)
{
    ivl_gguf_item k = { .name = name, .type = t, .rank = rows ? 2 : 1, .dim = { rows ? rows : cols, cols },
                        .from = IVL_F32, .fill = fill };
    return k;
}

/* --- container ------------------------------------------------------------------------------------ */

START_TEST(test_types)
{
    static const ivl_dtype type[] = { IVL_F32, IVL_F16, IVL_BF16, IVL_Q8_0, IVL_Q4_0, IVL_Q4_1 };
    static const char *const name[] = { "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1" };
    enum { ROWS = 5, COLS = 96, N = ROWS * COLS };
    ivl_gguf_item it[6];
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    for (int i = 0; i < 6; i++) it[i] = item(name[i], type[i], ROWS, COLS);
    ok(ivl_gguf_save(path, m, it, 6));
    ivl_gguf *f = NULL;
    ok(ivl_gguf_open(path, &f));
    ck_assert_int_eq(ivl_gguf_count(f), 6);
    for (int i = 0; i < 6; i++) {
        const ivl_gguf_tensor *t = ivl_gguf_find(f, name[i]);
        float x[N], want[N], part[40];
        char blocks[4 * N];
        ck_assert(t && t->type == type[i] && t->rank == 2 && t->dim[0] == ROWS && t->dim[1] == COLS);
        for (int k = 0; k < N; k++) x[k] = value(k);
        ivl_convert(blocks, type[i], x, IVL_F32, N);
        ivl_convert(want, IVL_F32, blocks, type[i], N);
        ok(ivl_gguf_read(t, 0, N, IVL_F32, x));
        ck_assert(!memcmp(x, want, sizeof x));
        for (int at = 0; at + 40 <= N; at += 13) { /* from the middle of blocks */
            ok(ivl_gguf_read(t, at, 40, IVL_F32, part));
            ck_assert(!memcmp(part, want + at, sizeof part));
        }
        refused(ivl_gguf_read(t, N - 3, 4, IVL_F32, part), IVL_EINVAL, name[i]);
    }
    ivl_gguf_close(f);
    ivl_gguf_meta_destroy(m);
}
END_TEST

START_TEST(test_metadata)
{
    ivl_gguf_meta *m = ivl_gguf_meta_create(), *again = ivl_gguf_meta_create();
    const ivl_gguf_text words[] = { { "one", 3 }, { "", 0 }, { "three", 5 } };
    const int32_t ints[] = { 3, -1, 7 };
    const float reals[] = { 0.5f, -2 };
    ivl_gguf_put_u32(m, "a.int", 7), ivl_gguf_put_f32(m, "a.real", 0.25f), ivl_gguf_put_bool(m, "a.bool", true);
    ivl_gguf_put_string(m, "a.text", "hello"), ivl_gguf_put_strings(m, "a.words", words, 3);
    ivl_gguf_put_i32s(m, "a.ints", ints, 3), ivl_gguf_put_f32s(m, "a.reals", reals, 2);
    ok(ivl_gguf_save(path, m, NULL, 0));
    ivl_gguf *f = NULL, *g = NULL;
    ok(ivl_gguf_open(path, &f));
    for (int i = 0; i < ivl_gguf_meta_count(f); i++) ivl_gguf_put_copy(again, f, ivl_gguf_meta_key(f, i));
    ok(ivl_gguf_save(path, again, NULL, 0)); /* the mapping of the old file stays */
    ok(ivl_gguf_open(path, &g));
    int64_t v = 5, n = 0, *iv = NULL;
    double r = 5, *rv = NULL;
    bool b = false;
    const char *s = "unset";
    ivl_gguf_text *t = NULL;
    ok(ivl_gguf_int(g, "a.none", &v));
    ck_assert_int_eq(v, 5);
    ok(ivl_gguf_int(g, "a.int", &v));
    ck_assert_int_eq(v, 7);
    ok(ivl_gguf_real(g, "a.int", &r)), ck_assert(r == 7);
    ok(ivl_gguf_real(g, "a.real", &r)), ck_assert(r == 0.25);
    ok(ivl_gguf_bool(g, "a.bool", &b)), ck_assert(b);
    ok(ivl_gguf_string(g, "a.text", &s));
    ck_assert_str_eq(s, "hello");
    ok(ivl_gguf_strings(g, "a.words", &t, &n));
    ck_assert(n == 3 && t[0].n == 3 && !memcmp(t[2].p, "three", 5));
    ok(ivl_gguf_ints(g, "a.ints", &iv, &n)), ck_assert(n == 3 && iv[1] == -1);
    ok(ivl_gguf_reals(g, "a.reals", &rv, &n)), ck_assert(n == 2 && rv[1] == -2);
    free(t), free(iv), free(rv);
    ok(ivl_gguf_strings(g, "a.none", &t, &n)), ck_assert(!n && !t), free(t);
    refused(ivl_gguf_int(g, "a.text", &v), IVL_EFORMAT, "a.text");
    refused(ivl_gguf_string(g, "a.int", &s), IVL_EFORMAT, "not a string");
    refused(ivl_gguf_ints(g, "a.words", &iv, &n), IVL_EFORMAT, "a.words");
    refused(ivl_gguf_strings(g, "a.ints", &t, &n), IVL_EFORMAT, "a.ints");
    ivl_gguf_close(f), ivl_gguf_close(g);
    ivl_gguf_meta_destroy(m), ivl_gguf_meta_destroy(again);
}
END_TEST

static ivl_status bad_fill(const ivl_gguf_item *it, int64_t first, int64_t n, void *dst)
{
    (void)first;
    for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = *(const float *)it->ctx;
    return IVL_OK;
}

START_TEST(test_refused_writes)
{
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    ivl_gguf_item it = item("narrow", IVL_Q8_0, 2, 40);
    refused(ivl_gguf_save(path, m, &it, 1), IVL_EINVAL, "narrow");
    float big = 1e6f;
    it = item("big", IVL_Q4_0, 2, 64), it.fill = bad_fill, it.ctx = &big;
    refused(ivl_gguf_save(path, m, &it, 1), IVL_EFORMAT, "take f32 or bf16");
    it.type = IVL_BF16;
    ok(ivl_gguf_save(path, m, &it, 1));
    big = NAN;
    refused(ivl_gguf_save(path, m, &it, 1), IVL_EFORMAT, "big");
    ivl_gguf_meta_destroy(m);
}
END_TEST

/* --- damage --------------------------------------------------------------------------------------- */

/* A file in memory that a test may spoil at a known place. */
typedef struct bytes { char *p; size_t n; } bytes;

static bytes small_file(void)
{
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    ivl_gguf_item it[] = { item("a", IVL_F32, 2, 8), item("b", IVL_Q8_0, 2, 32) };
    bytes b = { 0 };
    ivl_gguf_put_u32(m, "key", 1);
    ok(ivl_gguf_save(path, m, it, 2));
    ok(ivl_read_file(path, 0, &b.p, &b.n));
    ivl_gguf_meta_destroy(m);
    return b;
}

/* 24 bytes of header, then 8 + 3 of the key, 4 of its type, 4 of its value; tensor a at 43. */
static void spoil(size_t at, int64_t v, int len, ivl_status want, const char *text)
{
    bytes b = small_file();
    ivl_gguf *f = NULL;
    for (int i = 0; i < len; i++) b.p[at + (size_t)i] = (char)(v >> 8 * i);
    refused(ivl_gguf_open_memory(b.p, b.n, "spoilt", &f), want, text);
    ck_assert_ptr_null(f);
    ck_assert(!strncmp(ivl_last_error(), "spoilt: ", 8));
    free(b.p);
}

START_TEST(test_damaged)
{
    bytes b = small_file();
    ivl_gguf *f = NULL;
    ok(ivl_gguf_open_memory(b.p, b.n, "whole", &f));
    ivl_gguf_close(f);
    for (size_t n = 0; n < b.n; n++) { /* cut anywhere but within the last padding */
        char *cut = malloc(n + 1);
        memcpy(cut, b.p, n);
        f = NULL;
        ivl_status s = ivl_gguf_open_memory(cut, n, "cut", &f);
        ck_assert_msg(s == IVL_EFORMAT || (s == IVL_OK && b.n - n < 32), "cut at %zu: %d", n, s);
        ivl_gguf_close(f), free(cut);
    }
    free(b.p);
    spoil(0, 'X', 1, IVL_EFORMAT, "no GGUF");
    spoil(4, 1, 4, IVL_EUNSUPPORTED, "version 1");
    spoil(4, 0x03000000, 4, IVL_EUNSUPPORTED, "big-endian");
    spoil(8, INT64_MAX, 8, IVL_EFORMAT, "do not fit");
    spoil(16, INT64_MAX, 8, IVL_EFORMAT, "do not fit");
    spoil(24, -1, 8, IVL_EFORMAT, "key");
    spoil(35, 99, 4, IVL_EFORMAT, "unknown type 99");
    spoil(43 + 9, 5, 4, IVL_EFORMAT, "dimensions");
    spoil(43 + 13, INT64_MAX, 8, IVL_EFORMAT, "overflow");
    spoil(43 + 13, 0, 8, IVL_EFORMAT, "zero");
    spoil(43 + 13, 16, 8, IVL_EFORMAT, "overlap");
    spoil(43 + 29, 12, 4, IVL_EUNSUPPORTED, "Q4_K");
    spoil(43 + 29, 999, 4, IVL_EFORMAT, "type 999");
    spoil(43 + 33, 4, 8, IVL_EFORMAT, "aligned");
    spoil(43 + 33, 1 << 20, 8, IVL_EFORMAT, "beyond the file");
    spoil(43 + 41 + 8, 'a', 1, IVL_EFORMAT, "two tensors");
    spoil(43 + 41 + 13, 33, 8, IVL_EFORMAT, "multiple");
}
END_TEST

/* --- LLaMA ---------------------------------------------------------------------------------------- */

static ivl_text_config tiny(void)
{
    ivl_text_config c = ivl_text_config_default();
    c.vocab = VOCAB, c.width = WIDTH, c.mlp = MLP, c.layers = 1, c.heads = HEADS, c.kv_heads = KV;
    c.rope_theta = 1e5, c.eps = 1e-5, c.tie_embeddings = true, c.pad = -1;
    return c;
}

START_TEST(test_config)
{
    ivl_text_config c = tiny(), back;
    ivl_gguf_meta *m = ivl_gguf_meta_create(), *other = ivl_gguf_meta_create();
    ivl_gguf_item it = item("token_embd.weight", IVL_F32, VOCAB, WIDTH);
    ivl_gguf *f = NULL;
    ivl_gguf_put_text_config(m, &c, IVL_F32, "tiny");
    ok(ivl_gguf_save(path, m, &it, 1));
    ok(ivl_gguf_open(path, &f));
    ok(ivl_gguf_text_config(f, &back));
    ck_assert(back.vocab == VOCAB && back.width == WIDTH && back.mlp == MLP && back.layers == 1 && back.heads == HEADS);
    ck_assert(back.kv_heads == KV && back.rope_theta == 1e5 && back.eps == 1e-5 && back.tie_embeddings);
    ck_assert(back.max_positions == c.max_positions && !back.attention_bias && back.queries == 0 && back.pad == -1);
    ivl_gguf_close(f);
    c.kv_heads = 3;
    ivl_gguf_put_text_config(other, &c, IVL_F32, NULL);
    ok(ivl_gguf_save(path, other, &it, 1));
    ok(ivl_gguf_open(path, &f));
    refused(ivl_gguf_text_config(f, &back), IVL_EFORMAT, "key heads");
    ivl_gguf_close(f);
    ivl_gguf_meta_destroy(other), other = ivl_gguf_meta_create();
    ivl_gguf_put_string(other, "general.architecture", "gemma");
    ok(ivl_gguf_save(path, other, &it, 1));
    ok(ivl_gguf_open(path, &f));
    refused(ivl_gguf_text_config(f, &back), IVL_EUNSUPPORTED, "gemma");
    ivl_gguf_close(f);
    ivl_gguf_meta_destroy(m), ivl_gguf_meta_destroy(other);
}
END_TEST

START_TEST(test_names)
{
    static const char *const pair[][2] = {
        { "token_embd.weight", "model.embed_tokens.weight" },
        { "output.weight", "lm_head.weight" },
        { "output_norm.weight", "model.norm.weight" },
        { "blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight" },
        { "blk.31.attn_output.bias", "model.layers.31.self_attn.o_proj.bias" },
        { "blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight" },
    };
    static const char *const none[] = { "", "blk.", "blk.x.attn_q.weight", "blk.1", "blk.01.attn_q.weight",
                                        "blk.-1.attn_q.weight", "blk.0.attn_q", "rope_freqs.weight" };
    char out[IVL_GGUF_NAME];
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        ck_assert(ivl_gguf_to_hf(pair[i][0], out));
        ck_assert_str_eq(out, pair[i][1]);
        ck_assert(ivl_gguf_from_hf(pair[i][1], out));
        ck_assert_str_eq(out, pair[i][0]);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) ck_assert(!ivl_gguf_to_hf(none[i], out));
}
END_TEST

/* The file's rows of a head are x0 y0 x1 y1 ..., where the model rotates the pair (x, y) = (row i, row i + D/2). */
START_TEST(test_rows)
{
    ivl_text_config c = tiny();
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    ivl_gguf_item it[] = { item("blk.0.attn_k.weight", IVL_F32, KV * 16, WIDTH),
                           item("blk.0.attn_q.bias", IVL_F32, 0, WIDTH),
                           item("blk.0.attn_v.weight", IVL_F32, KV * 16, WIDTH) };
    ivl_gguf *f = NULL;
    static float x[KV * 16 * WIDTH];
    ok(ivl_gguf_save(path, m, it, 3));
    ok(ivl_gguf_open(path, &f));
    ok(ivl_gguf_read_hf(ivl_gguf_find(f, "blk.0.attn_k.weight"), &c, 5, KV * 16 * WIDTH - 5, IVL_F32, x + 5));
    for (int64_t r = 0; r < KV * 16; r++)
        for (int64_t k = r ? 0 : 5; k < WIDTH; k++) {
            int64_t i = r % 16, at = r - i + (i < 8 ? 2 * i : 2 * (i - 8) + 1);
            ck_assert(x[r * WIDTH + k] == value(at * WIDTH + k));
        }
    for (int64_t r = 0; r < 32; r++) ck_assert_int_eq(ivl_gguf_model_row(ivl_gguf_file_row(r, 32, 2), 32, 2), r);
    ok(ivl_gguf_read_hf(ivl_gguf_find(f, "blk.0.attn_q.bias"), &c, 0, WIDTH, IVL_F32, x));
    ck_assert(x[1] == value(2) && x[8] == value(1) && x[17] == value(18));
    ok(ivl_gguf_read_hf(ivl_gguf_find(f, "blk.0.attn_v.weight"), &c, WIDTH, 1, IVL_F32, x));
    ck_assert(x[0] == value(WIDTH));
    ivl_gguf_close(f);
    ivl_gguf_meta_destroy(m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("gguf");
    tcase_add_unchecked_fixture(t, make_dir, drop_dir);
    tcase_add_test(t, test_types);
    tcase_add_test(t, test_metadata);
    tcase_add_test(t, test_refused_writes);
    tcase_add_test(t, test_damaged);
    tcase_add_test(t, test_config);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_rows);
    return run_suite("gguf", t);
}
