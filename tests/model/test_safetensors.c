/* safetensors: what is written comes back, shards, and one clear message for every broken rule. */
#include "model/safetensors.h"
#include "tests/suite.h"

#include <signal.h>
#include <sys/resource.h>

/* Length, header, and `room` zero bytes behind it. */
static size_t build(char *out, const char *header, size_t room)
{
    size_t n = strlen(header);
    memset(out, 0, 8 + n + room);
    for (int i = 0; i < 8; i++) out[i] = (char)(n >> 8 * i);
    memcpy(out + 8, header, n);
    return 8 + n + room;
}

static const struct { const char *header; size_t room; const char *words; } broken[] = {
    { "[]", 0, "its header is no JSON object" },
    { " {}", 0, "its header is no JSON object" },
    { "{", 0, "not JSON" },
    { "{} x", 0, "not JSON" },
    { "{\"a\":{},\"a\":{}}", 0, "duplicate" },
    { "{\"a\":3}", 0, "tensor 'a' has no dtype" },
    { "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "of type F8_E4M3" },
    { "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "no shape" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1,
      "dimension 0 is no whole number" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1,
      "dimension 0 is no whole number" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
      "at most 8 dimensions" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,1]}}", 1,
      "dimensions overflow" },
    { "{\"a\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
      "shape and type F64 need" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
      "takes 4 bytes, but its shape and type F32 need 8" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "no data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "damaged or incomplete" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "damaged or incomplete" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "damaged or incomplete" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
      3, "'a' and 'b' overlap" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "1 bytes before tensor 'a'" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 3, "1 bytes at its end" },
    { "{\"__metadata__\":[]}", 0, "__metadata__ is no object" },
    { "{\"__metadata__\":{\"k\":1}}", 0, "__metadata__ 'k' is no string" },
    { "{\"\\u0000\":{}}", 0, "not JSON" },
    { "{\"\xff\":{}}", 0, "not JSON" },
};

START_TEST(rule_is_kept)
{
    static char text[4096];
    ivl_st *f = NULL;
    size_t n = build(text, broken[_i].header, broken[_i].room);
    ivl_status s = ivl_st_open_memory(text, n, "t.st", &f);
    ck_assert_msg(s == IVL_EFORMAT || s == IVL_EUNSUPPORTED, "%s: status %d", broken[_i].header, s);
    ck_assert_msg(strstr(ivl_last_error(), broken[_i].words) && !strncmp(ivl_last_error(), "t.st: ", 6),
                  "%s: says %s", broken[_i].header, ivl_last_error());
    ck_assert_ptr_null(f);
}
END_TEST

START_TEST(length_is_checked)
{
    char text[64];
    ivl_st *f = NULL;
    size_t n = build(text, "{}", 0);
    ck_assert_int_eq(ivl_st_open_memory(text, 7, "t.st", &f), IVL_EFORMAT);
    ck_assert_int_eq(ivl_st_open_memory(text, n - 1, "t.st", &f), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "cut off"));
    text[7] = 1;
    ck_assert_int_eq(ivl_st_open_memory(text, n, "t.st", &f), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "more than the 104857600 allowed"));
    memset(text, 0, 8);
    ck_assert_int_eq(ivl_st_open_memory(text, n, "t.st", &f), IVL_EFORMAT);
    ck_assert_int_eq(ivl_st_open(source("tests/golden"), &f), IVL_EIO);
    ck_assert_int_eq(ivl_st_open_dir(source("tests/model"), &f), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "neither model.safetensors nor"));
    text[0] = 2;
    ck_assert_int_eq(ivl_st_open_memory(text, n, "t.st", &f), IVL_OK);
    ck_assert_int_eq(ivl_st_count(f), 0);
    ck_assert_ptr_null(ivl_st_find(f, "a"));
    ivl_st_close(f);
}
END_TEST

static ivl_status ramp(const ivl_st_item *t, int64_t first, int64_t n, void *dst)
{
    ck_assert_ptr_eq(t->ctx, (void *)(uintptr_t)t->name);
    for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = (float)(first + i);
    return IVL_OK;
}

static const uint8_t flags[3] = { 0, 1, 255 };
static const int64_t longs[2] = { -5, (int64_t)1 << 40 };
static const uint16_t halves[2] = { 0x3c00, 0xc000 };
static const ivl_st_item items[] = {
    { "flags", IVL_ST_BOOL, 1, { 3 }, flags, NULL, NULL },
    { "ramp", IVL_ST_F32, 2, { 600, 1000 }, NULL, ramp, (void *)(uintptr_t)"ramp" },
    { "longs", IVL_ST_I64, 1, { 2 }, longs, NULL, NULL },
    { "halves", IVL_ST_F16, 1, { 2 }, halves, NULL, NULL },
    { "brain", IVL_ST_BF16, 1, { 2 }, halves, NULL, NULL },
    { "empty", IVL_ST_F32, 2, { 3, 0 }, halves, NULL, NULL },
    { "scalar \"quoted\" \xc3\xa9", IVL_ST_U8, 0, { 0 }, flags + 2, NULL, NULL },
};
enum { N = sizeof items / sizeof *items };

static void check_items(const ivl_st *f)
{
    float x[3];
    int32_t k[3];
    ck_assert_int_eq(ivl_st_count(f), N);
    for (int i = 0; i < N; i++) {
        const ivl_st_tensor *t = ivl_st_find(f, items[i].name);
        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(t->type, items[i].type);
        ck_assert_int_eq(t->rank, items[i].rank);
        ck_assert(!memcmp(t->dim, items[i].dim, (size_t)t->rank * 8));
        ck_assert_uint_eq((uintptr_t)t->data % ivl_st_type_bytes(t->type), 0);
        if (i) ck_assert_int_lt(strcmp(ivl_st_at(f, i - 1)->name, ivl_st_at(f, i)->name), 0);
    }
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "ramp"), 599998, 2, IVL_F32, x), IVL_OK);
    ck_assert(x[0] == 599998 && x[1] == 599999);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "ramp"), 599998, 3, IVL_F32, x), IVL_EINVAL);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "halves"), 0, 2, IVL_F32, x), IVL_OK);
    ck_assert(x[0] == 1 && x[1] == -2);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "brain"), 1, 1, IVL_F32, x), IVL_OK);
    ck_assert(x[0] == -2);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "flags"), 0, 3, IVL_I32, k), IVL_OK);
    ck_assert(k[0] == 0 && k[1] == 1 && k[2] == 1);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "longs"), 0, 1, IVL_I32, k), IVL_OK);
    ck_assert_int_eq(k[0], -5);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "longs"), 0, 2, IVL_I32, k), IVL_EFORMAT);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "longs"), 0, 2, IVL_F32, x), IVL_OK);
    ck_assert(x[1] == 1099511627776.f);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "scalar \"quoted\" \xc3\xa9"), 0, 1, IVL_F32, x), IVL_OK);
    ck_assert(x[0] == 255);
    ck_assert_str_eq(ivl_st_meta(f, "format"), "pt");
    ck_assert_ptr_null(ivl_st_meta(f, "none"));
}

static const ivl_st_pair meta[] = { { "format", "pt" } };

static int count_files(const char *dir)
{
    char command[256];
    int n = -1;
    snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *p = popen(command, "r");
    if (!p || fscanf(p, "%d", &n) != 1) n = -1;
    if (p) pclose(p);
    return n;
}

START_TEST(written_comes_back)
{
    char dir[] = "st.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    const size_t limit[] = { 0, 1000, 1 }; /* one file, a few, many (the empty one joins another), back */
    const int files[] = { 1, 4, 7, 1 };
    for (int i = 0; i < 4; i++) {
        ivl_st *f = NULL;
        ck_assert_int_eq(ivl_st_save_dir(dir, items, N, limit[i % 3], meta, 1), IVL_OK);
        ck_assert_int_eq(count_files(dir), files[i]);
        ck_assert_int_eq(ivl_st_open_dir(dir, &f), IVL_OK);
        check_items(f);
        ivl_st_close(f);
    }
    ivl_st_item twice[2] = { items[0], items[0] };
    ck_assert_int_eq(ivl_st_save_dir(dir, twice, 2, 0, NULL, 0), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "two tensors are called 'flags'"));
    twice[1].name = "\xff";
    ck_assert_int_eq(ivl_st_save_dir(dir, twice, 2, 0, NULL, 0), IVL_EINVAL);
    ck_assert_int_eq(count_files(dir), 1);
    remove_tree(dir);
}
END_TEST

/* A disk that fills up: the older file stays, nothing is left beside it. */
START_TEST(full_disk_loses_nothing)
{
    char dir[] = "st.XXXXXX";
    ivl_st *f = NULL;
    struct rlimit old, small = { 100000, 100000 };
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(ivl_st_save_dir(dir, items, N, 0, meta, 1), IVL_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(ivl_st_save_dir(dir, items, N, _i ? 1000 : 0, meta, 1), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "cannot write: File too large"));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(count_files(dir), 1);
    ck_assert_int_eq(ivl_st_open_dir(dir, &f), IVL_OK);
    check_items(f);
    ivl_st_close(f);
    remove_tree(dir);
}
END_TEST

static void put_text(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(hostile_index)
{
    static const struct { const char *text, *words; } row[] = {
        { "{}", "has no object weight_map" },
        { "{\"weight_map\": {\"a\": 3}}", "'a' is no string" },
        { "{\"weight_map\": {\"a\": \"../model.safetensors\"}}", "no name of a file beside it" },
        { "{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "no name of a file beside it" },
        { "{\"weight_map\": {\"a\": \"\"}}", "no name of a file beside it" },
        { "{\"weight_map\": {\"a\": \"gone.safetensors\"}}", "gone.safetensors: cannot read" },
        { "{\"weight_map\": {\"a\": \"one.safetensors\"}}", "tensor 'a' is not in one.safetensors" },
        { "{\"weight_map\": {\"flags\": \"one.safetensors\", \"longs\": \"two.safetensors\"}}",
          "is both in" },
        { "{\"weight_map\": {\"a\": \"model.safetensors.index.json\"}}", "no safetensors file" },
    };
    char dir[] = "st.XXXXXX", path[64];
    ivl_st *f = NULL;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/one.safetensors", dir);
    ck_assert_int_eq(ivl_st_save(path, items, N, NULL, 0), IVL_OK);
    snprintf(path, sizeof path, "%s/two.safetensors", dir);
    ck_assert_int_eq(ivl_st_save(path, items, N, NULL, 0), IVL_OK);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        put_text(dir, "model.safetensors.index.json", row[i].text);
        ck_assert_msg(ivl_st_open_dir(dir, &f) != IVL_OK, "%s", row[i].text);
        ck_assert_msg(strstr(ivl_last_error(), row[i].words), "%s: says %s", row[i].text, ivl_last_error());
    }
    remove_tree(dir);
}
END_TEST

START_TEST(golden_files_open)
{
    ivl_st *f = NULL;
    float x = 0;
    ck_assert_int_eq(ivl_st_open_dir(source("tests/golden/odd2_bf16_sharded"), &f), IVL_OK);
    const ivl_st_tensor *t = ivl_st_find(f, "vision_model.encoder.layers.3.attn.qkv.weight");
    ck_assert(t && t->type == IVL_ST_BF16 && t->dim[0] == 270 && t->dim[1] == 90);
    ck_assert_int_eq(ivl_st_read(t, 5, 1, IVL_F32, &x), IVL_OK);
    ck_assert(x != 0 && fabsf(x) < 1);
    ivl_st_close(f);
    ck_assert_int_eq(ivl_st_open(source("tests/golden/odd/expected.safetensors"), &f), IVL_OK);
    ck_assert_int_eq(ivl_st_find(f, "caption.beam3")->type, IVL_ST_I64);
    ivl_st_close(f);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("safetensors");
    tcase_add_loop_test(t, rule_is_kept, 0, sizeof broken / sizeof *broken);
    tcase_add_test(t, length_is_checked);
    tcase_add_test(t, written_comes_back);
    tcase_add_loop_test(t, full_disk_loses_nothing, 0, 2);
    tcase_add_test(t, hostile_index);
    tcase_add_test(t, golden_files_open);
    return run_suite("safetensors", t);
}
