/* Conversions of storage types, random numbers, hashes, status. */
#include <pthread.h>

#include "runtime/dtype.h"
#include "runtime/rng.h"
#include "runtime/sha256.h"
#include "tests/suite.h"

#include <ivl/backend.h>

START_TEST(test_all_halves)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float b = ivl_bf16_to_f32((uint16_t)h), f = ivl_f16_to_f32((uint16_t)h);
        if (b != b)
            ck_assert(ivl_bf16_to_f32(ivl_f32_to_bf16(b)) != ivl_bf16_to_f32(ivl_f32_to_bf16(b)));
        else
            ck_assert_uint_eq(ivl_f32_to_bf16(b), h);
        if (f != f)
            ck_assert(ivl_f16_to_f32(ivl_f32_to_f16(f)) != ivl_f16_to_f32(ivl_f32_to_f16(f)));
        else
            ck_assert_uint_eq(ivl_f32_to_f16(f), h);
    }
}
END_TEST

/* Halfway between two neighbours goes to the even one, anything else to the nearer. */
START_TEST(test_rounding)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        double a = ivl_f16_to_f32((uint16_t)h), b = ivl_f16_to_f32((uint16_t)(h + 1)), mid = (a + b) / 2,
               eps = (b - a) / 64;
        ck_assert_uint_eq(ivl_f32_to_f16((float)mid), h + (h & 1));
        ck_assert_uint_eq(ivl_f32_to_f16((float)(mid - eps)), h);
        ck_assert_uint_eq(ivl_f32_to_f16((float)(mid + eps)), h + 1);
        ck_assert_uint_eq(ivl_f32_to_f16((float)-mid), (h + (h & 1)) | 0x8000);
    }
    for (uint32_t h = 0x0080; h < 0x7f7f; h++) {
        double a = ivl_bf16_to_f32((uint16_t)h), b = ivl_bf16_to_f32((uint16_t)(h + 1)), mid = (a + b) / 2,
               eps = (b - a) / 64;
        ck_assert_uint_eq(ivl_f32_to_bf16((float)mid), h + (h & 1));
        ck_assert_uint_eq(ivl_f32_to_bf16((float)(mid - eps)), h);
        ck_assert_uint_eq(ivl_f32_to_bf16((float)(mid + eps)), h + 1);
    }
    ck_assert_uint_eq(ivl_f32_to_f16(65519.0f), 0x7bff);
    ck_assert_uint_eq(ivl_f32_to_f16(65520.0f), 0x7c00);
    ck_assert_uint_eq(ivl_f32_to_f16(1e-9f), 0);
    ck_assert_uint_eq(ivl_f32_to_bf16(INFINITY), 0x7f80);
    ck_assert_uint_eq(ivl_f32_to_bf16(3.4e38f), 0x7f80);
}
END_TEST

START_TEST(test_load_store)
{
    static const ivl_dtype t[] = { IVL_F32, IVL_BF16, IVL_F16, IVL_F64, IVL_I32, IVL_U8 };
    double a[8];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        ivl_dtype parsed;
        memset(a, 0, sizeof a);
        ivl_store(a, t[i], 3, 42);
        ck_assert(ivl_load(a, t[i], 3) == 42 && ivl_load(a, t[i], 2) == 0);
        ck_assert(ivl_dtype_parse(ivl_dtype_name(t[i]), &parsed) == IVL_OK && parsed == t[i]);
    }
    ivl_dtype none;
    ck_assert(ivl_dtype_parse("float7", &none) == IVL_EINVAL && strstr(ivl_last_error(), "float7"));
    ck_assert_uint_eq(ivl_dtype_bytes(IVL_Q8_0, 64), 68);
    ck_assert_uint_eq(ivl_dtype_bytes(IVL_BF16, 7), 14);
    float x[5] = { 1, -2.5f, 0, 1e30f, 7 };
    uint16_t h[5];
    ivl_convert(h, IVL_BF16, x, IVL_F32, 5);
    for (int i = 0; i < 5; i++) ck_assert_uint_eq(h[i], ivl_f32_to_bf16(x[i]));
}
END_TEST

/* Values of many sizes, a block of zeros and one of equal values; the same on every machine. */
static float *many_values(int n)
{
    float *x = malloc((size_t)n * sizeof *x);
    uint32_t r = 12345;
    for (int i = 0; i < n; i++) {
        r = r * 1664525u + 1013904223u;
        x[i] = i < 32 ? 0 : i < 64 ? 3 : ldexpf((float)((int)(r >> 8) - 8388608), i / 32 % 13 - 6 - 23);
    }
    return x;
}

static void hash_of(const void *p, size_t n, char out[65])
{
    ivl_sha256 h;
    uint8_t d[32];
    ivl_sha256_init(&h);
    ivl_sha256_add(&h, p, n);
    ivl_sha256_end(&h, d);
    ivl_sha256_text(d, out);
}

/* Hashes of the blocks and of the values read back, made once with the Python package gguf. */
START_TEST(test_quantised)
{
    static const struct { ivl_dtype t; const char *blocks, *values; } want[] = {
        { IVL_Q8_0, "509d4eda73af5a165c91b96e225f1596a81680db51c8dabe981af8aa18bb77c8",
          "2da9185ac8e4fb14d55fbdaeb7329d08b96f1b7629740346ed990f7e20dd512e" },
        { IVL_Q4_0, "81e566b117e9cb171b6ce6fadc4253c8340bfea2136167760d2b11356e4ffc5d",
          "f73a227dba1937de995a5811e85b1fb4eccb6221b65cae9c242062707565f883" },
        { IVL_Q4_1, "edb22b2ac0b4fbe077907e49feb4d8e3ebd57d614c054ad972eecb8138abe430",
          "56629a455a69b25b852e833fe140ff10c453676e6491b7f8066636b05dc04f5f" },
    };
    enum { N = 32 * 4096 };
    float *x = many_values(N), *y = malloc(N * sizeof *y);
    char *blocks = malloc(N * 2), *again = malloc(N * 2), hash[65];
    uint16_t *half = malloc(N * sizeof *half);
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        ivl_dtype t = want[k].t;
        ivl_convert(blocks, t, x, IVL_F32, N);
        hash_of(blocks, ivl_dtype_bytes(t, N), hash);
        ck_assert_str_eq(hash, want[k].blocks);
        ivl_convert(y, IVL_F32, blocks, t, N);
        hash_of(y, N * sizeof *y, hash);
        ck_assert_str_eq(hash, want[k].values);
        for (int i = 0; i < N; i += 97) ck_assert(ivl_load(blocks, t, i) == y[i]);
        ivl_convert(half, IVL_BF16, blocks, t, N);
        for (int i = 0; i < N; i += 97) ck_assert_uint_eq(half[i], ivl_f32_to_bf16(y[i]));
        ivl_convert(again, t, blocks, t, N);
        ck_assert(!memcmp(blocks, again, ivl_dtype_bytes(t, N)));
        ck_assert_int_eq(ivl_dtype_block(t), 32);
        ck_assert_str_eq(ivl_dtype_name(t), k == 0 ? "q8_0" : k == 1 ? "q4_0" : "q4_1");
    }
    ck_assert_int_eq(ivl_dtype_block(IVL_BF16), 1);
    float odd[32] = { NAN, INFINITY, -INFINITY, 1 }; /* wrong, yet defined */
    ivl_quantise(blocks, IVL_Q8_0, odd, 32), ivl_quantise(blocks, IVL_Q4_0, odd, 32);
    ivl_quantise(blocks, IVL_Q4_1, odd, 32);
    free(x), free(y), free(blocks), free(again), free(half);
}
END_TEST

/* Random123's known answers for philox4x32-10 (kat_vectors). */
START_TEST(test_philox)
{
    static const struct {
        uint32_t c[4], k[2], r[4];
    } v[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        ivl_rng r = { { v[i].k[0], v[i].k[1] } };
        ivl_rng_bits(r, v[i].c[0], v[i].c[1], (uint64_t)v[i].c[3] << 32 | v[i].c[2], out);
        for (int j = 0; j < 4; j++) ck_assert_uint_eq(out[j], v[i].r[j]);
    }
}
END_TEST

START_TEST(test_draws)
{
    enum { N = 20000 };
    ivl_rng r = ivl_rng_make(7, "test"), other = ivl_rng_make(7, "tesu");
    double m = 0, s = 0, u = 0;
    ck_assert(r.key[0] != other.key[0]);
    for (uint64_t i = 0; i < N; i++) {
        double z = ivl_rng_normal(r, 0, 0, i), x = ivl_rng_uniform(r, 1, 0, i);
        ck_assert(x >= 0 && x < 1);
        ck_assert(fabs(ivl_rng_trunc_normal(r, 2, 0, i, 0.02)) <= 0.04);
        ck_assert(ivl_rng_below(r, 3, 0, i, 7) < 7);
        m += z / N, s += z * z / N, u += x / N;
    }
    ck_assert(fabs(m) < 0.03 && fabs(s - 1) < 0.05 && fabs(u - 0.5) < 0.01);
    int32_t p[100], seen[100] = { 0 };
    ivl_rng_permute(r, 0, 0, p, 100);
    for (int i = 0; i < 100; i++) seen[p[i]]++;
    for (int i = 0; i < 100; i++) ck_assert_int_eq(seen[i], 1);
}
END_TEST

static void hash(const char *text, size_t times, size_t piece, char out[65])
{
    ivl_sha256 h;
    uint8_t d[32];
    ivl_sha256_init(&h);
    for (size_t t = 0; t < times; t++)
        for (size_t i = 0, n = strlen(text); i < n; i += piece)
            ivl_sha256_add(&h, text + i, n - i < piece ? n - i : piece);
    ivl_sha256_end(&h, d);
    ivl_sha256_text(d, out);
}

START_TEST(test_sha256)
{
    char t[65], u[65];
    hash("", 0, 1, t);
    ck_assert_str_eq(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash("abc", 1, 1, t);
    ck_assert_str_eq(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, 56, t);
    ck_assert_str_eq(t, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    hash("a", 1000000, 1, t);
    ck_assert_str_eq(t, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    char text[200];
    for (int n = 0; n < 199; n++) { /* every padding, whole and in pieces */
        memset(text, 'x', sizeof text), text[n] = 0;
        hash(text, 1, 200, t), hash(text, 1, 7, u);
        ck_assert_str_eq(t, u);
    }
}
END_TEST

static ivl_status deep(int n)
{
    if (!n) return ivl_fail(IVL_ESHAPE, __FILE__, __LINE__, "the value is %d", 42);
    IVL_TRY(deep(n - 1));
    return IVL_OK;
}

static void *silent(void *arg)
{
    (void)arg;
    return *ivl_last_error() ? (void *)"" : NULL;
}

START_TEST(test_status)
{
    ck_assert_str_eq(ivl_last_error(), "");
    ck_assert(deep(3) == IVL_ESHAPE);
    ck_assert_str_eq(ivl_last_error(), "the value is 42");
    ck_assert(ivl_fail(IVL_EIO, __FILE__, __LINE__, "again: %s", ivl_last_error()) == IVL_EIO);
    ck_assert_str_eq(ivl_last_error(), "again: the value is 42");
    ck_assert_str_eq(ivl_status_name(IVL_ECOMM), "ECOMM");
    ck_assert_str_eq(ivl_status_name((ivl_status)-99), "unknown status");
    pthread_t t; /* another thread has its own */
    void *seen;
    ck_assert(!pthread_create(&t, NULL, silent, NULL) && !pthread_join(t, &seen));
    ck_assert_ptr_null(seen);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("scalars");
    tcase_add_test(t, test_all_halves);
    tcase_add_test(t, test_rounding);
    tcase_add_test(t, test_load_store);
    tcase_add_test(t, test_quantised);
    tcase_add_test(t, test_philox);
    tcase_add_test(t, test_draws);
    tcase_add_test(t, test_sha256);
    tcase_add_test(t, test_status);
    return run_suite("scalars", t);
}
