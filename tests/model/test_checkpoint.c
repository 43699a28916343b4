/* Model folders: both golden checkpoints load and come back bit by bit; every wrong tensor is named. */
#include "model/checkpoint.h"
#include "model/positions.h"
#include "model/safetensors.h"
#include "runtime/file.h"
#include "tests/suite.h"

typedef struct model {
    ivl_device      *dev;
    ivl_stream      *s;
    ivl_model_config c;
    ivl_params      *p;
} model;

static model open_model(const char *config, unsigned parts, ivl_dtype dtype)
{
    model m;
    ivl_params_options o = { .parts = parts, .stage = IVL_STAGE_1 };
    ck_assert_int_eq(ivl_config_load(config, &m.c), IVL_OK);
    ck_assert_int_eq(ivl_device_open("host", &m.dev), IVL_OK);
    ck_assert_int_eq(ivl_stream_open(m.dev, &m.s), IVL_OK);
    ck_assert_int_eq(ivl_params_create(&m.c, &o, &m.p), IVL_OK);
    ck_assert_int_eq(ivl_params_alloc(m.p, m.dev, dtype, false), IVL_OK);
    return m;
}

static void close_model(model *m)
{
    ivl_params_destroy(m->p);
    ivl_stream_close(m->s);
    ivl_device_close(m->dev);
}

static const char *const golden[] = { "tests/golden/odd", "tests/golden/odd2_bf16_sharded" };

/* The table has the names and shapes of the reference's checkpoints, all of them. */
START_TEST(golden_has_our_tensors)
{
    model m = open_model(source(golden[_i]), IVL_PARTS_ALL, IVL_F32);
    ivl_st *f = NULL;
    ivl_load_options o = { .strict = true, .check_nan = true };
    ivl_load_report r;
    ck_assert_int_eq(ivl_checkpoint_load(source(golden[_i]), m.p, m.s, &o, &r), IVL_OK);
    ck_assert_int_eq(r.n, 0);
    ck_assert_int_eq(r.loaded, m.p->n);
    ck_assert_int_eq(ivl_st_open_dir(source(golden[_i]), &f), IVL_OK);
    ck_assert_int_eq(ivl_st_count(f), m.p->n);
    for (int i = 0; i < m.p->n; i++) {
        const ivl_param *q = &m.p->param[i];
        float a = 0, b = 1;
        ck_assert_int_eq(ivl_st_read(ivl_st_find(f, q->name), q->elements - 1, 1, IVL_F32, &a), IVL_OK);
        ck_assert_int_eq(ivl_param_read(q, m.s, IVL_WEIGHT, q->elements - 1, 1, &b, IVL_F32), IVL_OK);
        ck_assert(a == b);
    }
    ivl_st_close(f);
    ivl_load_report_free(&r);
    close_model(&m);
}
END_TEST

START_TEST(other_parts_are_unused)
{
    model m = open_model(source(golden[0]), IVL_PART_C, IVL_BF16);
    ivl_load_options o = { .strict = true };
    ivl_load_report r;
    ck_assert_int_eq(ivl_checkpoint_load(source(golden[0]), m.p, m.s, &o, &r), IVL_OK);
    ck_assert_int_eq(r.n, ivl_load_count(&r, IVL_NOTE_UNUSED));
    ck_assert_int_eq(r.n + m.p->n, 127);
    ivl_load_report_free(&r);
    close_model(&m);
}
END_TEST

/* Saved and loaded: the same bits when the type holds them. */
START_TEST(saved_comes_back)
{
    char dir[] = "ck.XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/new/model", dir);
    model a = open_model(source(golden[_i]), IVL_PARTS_ALL, IVL_F32);
    ivl_save_options o = { .dtype = _i ? IVL_BF16 : IVL_F32, .shard_bytes = _i ? 300000 : 0,
                           .tokenizer = source("tests/golden/odd/tokenizer.model") };
    ck_assert_int_eq(ivl_checkpoint_load(source(golden[_i]), a.p, a.s, NULL, NULL), IVL_OK);
    ck_assert_int_eq(ivl_checkpoint_save(path, &a.c, a.p, a.s, &o), IVL_OK);
    model b = open_model(path, IVL_PARTS_ALL, IVL_F32);
    ck_assert(ivl_config_equal(&a.c, &b.c));
    ck_assert_int_eq(ivl_checkpoint_load(path, b.p, b.s, NULL, NULL), IVL_OK);
    for (int i = 0; i < a.p->n; i++) {
        const ivl_tensor *x = &a.p->param[i].value, *y = &b.p->param[i].value;
        ck_assert_str_eq(x->name, y->name);
        ck_assert(
            !memcmp((float *)x->buf.host + x->off, (float *)y->buf.host + y->off, (size_t)ivl_numel(x) * 4));
    }
    char *t = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/new/model/tokenizer.model", dir);
    ck_assert_int_eq(ivl_read_file(path, 0, &t, &n), IVL_OK);
    ck_assert_uint_eq(n, 6516);
    free(t);
    close_model(&a), close_model(&b);
    remove_tree(dir);
}
END_TEST

/* --- wrong tensors --- */

enum { MAX_ITEMS = 200 };

/* The golden tensors as items that a test may spoil. */
static int golden_items(const ivl_st *f, ivl_st_item *item)
{
    int n = ivl_st_count(f);
    for (int i = 0; i < n; i++) {
        const ivl_st_tensor *t = ivl_st_at(f, i);
        item[i] = (ivl_st_item){ .name = t->name, .type = t->type, .rank = t->rank, .data = t->data };
        memcpy(item[i].dim, t->dim, sizeof t->dim);
    }
    return n;
}

static ivl_st_item *find_item(ivl_st_item *item, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(item[i].name, name)) return &item[i];
    ck_abort_msg("no %s", name);
    return NULL;
}

/* Loads the spoiled model; its status and message stay for the test. */
static ivl_status load_spoiled(const ivl_st_item *item, int n, const ivl_load_options *o, ivl_load_report *r)
{
    char dir[] = "ck.XXXXXX";
    model m = open_model(source(golden[0]), IVL_PARTS_ALL, IVL_F32);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(ivl_st_save_dir(dir, item, n, 0, NULL, 0), IVL_OK);
    ivl_status s = ivl_checkpoint_load(dir, m.p, m.s, o, r);
    if (s != IVL_OK) {
        float x = 1;
        ck_assert_int_eq(
            ivl_param_read(ivl_params_find(m.p, "logit_scale"), m.s, IVL_WEIGHT, 0, 1, &x, IVL_F32), IVL_OK);
        ck_assert(x == 0 || o->check_nan);
    }
    close_model(&m);
    remove_tree(dir);
    return s;
}

START_TEST(wrong_tensors_are_named)
{
    static const int64_t shape[] = { 72, 73 };
    static float numbers[72 * 73] = { 1, INFINITY, 2, NAN };
    ivl_st_item item[MAX_ITEMS];
    ivl_st *f = NULL;
    ivl_load_report r = { 0 };
    ivl_load_options o = { 0 };
    ck_assert_int_eq(ivl_st_open_dir(source(golden[0]), &f), IVL_OK);

    int n = golden_items(f, item);
    n--;
    *find_item(item, n, "text_projection") = item[n];
    item[n++] = (ivl_st_item){ .name = "model.layers.0.rotary_emb.inv_freq",
                               .type = IVL_ST_F32,
                               .rank = 1,
                               .dim = { 2 },
                               .data = numbers };
    ck_assert_int_eq(load_spoiled(item, n, &o, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), ": missing: text_projection; is this"));
    ck_assert_int_eq(r.n, 1);
    ck_assert_str_eq(r.note[0].name, "text_projection");
    ivl_load_report_free(&r);
    o.allow_missing = IVL_PART_C;
    ck_assert_int_eq(load_spoiled(item, n, &o, NULL), IVL_OK);

    n = golden_items(f, item);
    ivl_st_item *q = find_item(item, n, "clip_projector.cross_attn.k.weight");
    memcpy(q->dim, shape, sizeof shape);
    q->data = numbers;
    ck_assert_int_eq(load_spoiled(item, n, &o, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(
        strstr(ivl_last_error(), "wrong shape: clip_projector.cross_attn.k.weight [72,73], [72,72] wanted"));
    ivl_load_report_free(&r);

    q->dim[1] = 72;
    item[n++] =
        (ivl_st_item){ .name = "surprise", .type = IVL_ST_F32, .rank = 1, .dim = { 2 }, .data = numbers };
    ck_assert_int_eq(load_spoiled(item, n, &o, &r), IVL_OK);
    ck_assert_int_eq(ivl_load_count(&r, IVL_NOTE_EXTRA), 1);
    ck_assert_int_eq(ivl_load_count(&r, IVL_NOTE_NAN), 1);
    ck_assert_str_eq(r.note[0].name, "clip_projector.cross_attn.k.weight");
    ck_assert_str_eq(r.note[0].detail, "(2 of 5184 values)");
    ivl_load_report_free(&r);
    o.strict = true;
    ck_assert_int_eq(load_spoiled(item, n, &o, NULL), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "extra: surprise"));
    o.strict = false, o.check_nan = true;
    ck_assert_int_eq(load_spoiled(item, n, &o, NULL), IVL_EFORMAT);
    ck_assert_ptr_nonnull(
        strstr(ivl_last_error(), "not finite: clip_projector.cross_attn.k.weight (2 of 5184 values)"));
    ivl_st_close(f);
}
END_TEST

/* --- positions --- */

static void multiply(const float *m, const float *x, int64_t rows, int64_t cols, int64_t c, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < c; k++) {
            double sum = 0;
            for (int64_t j = 0; j < cols; j++) sum += (double)m[i * cols + j] * (double)x[j * c + k];
            y[i * c + k] = (float)sum;
        }
}

/* Golden: vision.large_positions, as the reference resizes its own. */
START_TEST(positions_resize_as_the_reference)
{
    static float x[1 << 16], y[1 << 16], want[1 << 16], m[1 << 16];
    char path[300];
    ivl_st *f = NULL, *e = NULL;
    snprintf(path, sizeof path, "%s/expected.safetensors", source(golden[_i]));
    ck_assert_int_eq(ivl_st_open_dir(source(golden[_i]), &f), IVL_OK);
    ck_assert_int_eq(ivl_st_open(path, &e), IVL_OK);
    const ivl_st_tensor *p = ivl_st_find(f, "vision_model.embeddings.position_embedding");
    const ivl_st_tensor *q = ivl_st_find(e, "vision.large_positions"),
                        *px = ivl_st_find(e, "in.pixels_large");
    ck_assert(p && q && px);
    int g = (int)sqrt((double)p->dim[1] - 1), h = (int)px->dim[2] / 14, w = (int)px->dim[3] / 14;
    ck_assert_int_eq(q->dim[1], 1 + h * w);
    ck_assert_int_eq(ivl_st_read(p, 0, p->elements, IVL_F32, x), IVL_OK);
    ck_assert_int_eq(ivl_st_read(q, 0, q->elements, IVL_F32, want), IVL_OK);
    ck_assert_int_eq(ivl_pos_matrix(g, h, w, m), IVL_OK);
    multiply(m, x, q->dim[1], p->dim[1], p->dim[2], y);
    for (int64_t i = 0; i < q->elements; i++) ck_assert_float_eq_tol(y[i], want[i], 2e-6f);
    ivl_st_close(f), ivl_st_close(e);
}
END_TEST

START_TEST(matrix_keeps_what_must_be_kept)
{
    static float m[(1 + 30 * 20) * (1 + 16 * 16)];
    ck_assert_int_eq(ivl_pos_matrix(5, 5, 5, m), IVL_OK);
    for (int i = 0; i < 26 * 26; i++) ck_assert(m[i] == (i / 26 == i % 26));
    static const int size[][3] = { { 16, 20, 30 }, { 16, 7, 5 }, { 1, 4, 4 }, { 3, 1, 2 } };
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        int g = size[k][0], rows = 1 + size[k][1] * size[k][2], cols = 1 + g * g;
        ck_assert_int_eq(ivl_pos_matrix(g, size[k][1], size[k][2], m), IVL_OK);
        for (int i = 0; i < rows; i++) {
            double sum = 0;
            for (int j = 0; j < cols; j++) sum += m[i * cols + j];
            ck_assert_double_eq_tol(sum, 1, 1e-6); /* constants stay constant */
            ck_assert(m[i * cols] == (i == 0));
        }
    }
    ck_assert_int_eq(ivl_pos_matrix(0, 1, 1, m), IVL_EINVAL);
}
END_TEST

START_TEST(other_grids_resize_on_loading)
{
    model m = open_model(source(golden[0]), IVL_PARTS_ALL, IVL_F32), n = m;
    ivl_load_options o = { .resize_positions = false };
    ivl_load_report r;
    n.c.force_image_size = 70;
    ck_assert_int_eq(ivl_params_create(&n.c, &(ivl_params_options){ 0 }, &n.p), IVL_OK);
    ck_assert_int_eq(ivl_params_alloc(n.p, n.dev, IVL_F32, false), IVL_OK);
    ck_assert_int_eq(ivl_checkpoint_load(source(golden[0]), n.p, n.s, &o, NULL), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "position_embedding [1,10,72], [1,26,72] wanted"));
    o.resize_positions = true;
    ck_assert_int_eq(ivl_checkpoint_load(source(golden[0]), n.p, n.s, &o, &r), IVL_OK);
    ck_assert_int_eq(ivl_load_count(&r, IVL_NOTE_RESIZED), 1);
    ck_assert_int_eq(r.loaded, n.p->n);
    ivl_load_report_free(&r);
    ivl_params_destroy(n.p);
    close_model(&m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("checkpoint");
    tcase_add_loop_test(t, golden_has_our_tensors, 0, 2);
    tcase_add_test(t, other_parts_are_unused);
    tcase_add_loop_test(t, saved_comes_back, 0, 2);
    tcase_add_test(t, wrong_tensors_are_named);
    tcase_add_loop_test(t, positions_resize_as_the_reference, 0, 2);
    tcase_add_test(t, matrix_keeps_what_must_be_kept);
    tcase_add_test(t, other_grids_resize_on_loading);
    return run_suite("checkpoint", t);
}
