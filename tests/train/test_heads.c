/* Linear probe and segmentation, linear and UperNet, over the golden model's random encoder: all learn what colours
 * tell, the same way twice; masks; scores by hand. */
#include <math.h>
#include <unistd.h>

#include <jansson.h>

#include "data/image.h"
#include "data/mask.h"
#include "runtime/file.h"
#include "runtime/rng.h"
#include "tests/suite.h"
#include "train/classes.h"
#include "train/probe.h"

enum { SIDE = 42, PER_CLASS = 24, SCENES = 48 };

static const uint8_t colour[3][3] = { { 220, 40, 40 }, { 40, 200, 60 }, { 50, 70, 220 } };
static char dir[] = "/tmp/ivl-heads-XXXXXX";

static void write_png(const char *name, const uint8_t *px, int channels)
{
    char path[256];
    uint8_t *data = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(ivl_png_encode(px, SIDE, SIDE, channels, &data, &n), IVL_OK);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    free(data);
}

/* A square of colour k on grey noise. */
static void paint(int k, int number, uint8_t *px, uint8_t *mask)
{
    ivl_rng r = ivl_rng_make((uint64_t)number, "test heads");
    int size = 16 + (int)ivl_rng_below(r, 0, 0, 0, 12), x0 = (int)ivl_rng_below(r, 0, 0, 1, (uint64_t)(SIDE - size)),
        y0 = (int)ivl_rng_below(r, 0, 0, 2, (uint64_t)(SIDE - size));
    for (int i = 0; i < SIDE * SIDE; i++) {
        int x = i % SIDE, y = i / SIDE, in = x >= x0 && x < x0 + size && y >= y0 && y < y0 + size;
        int grey = 90 + (int)ivl_rng_below(r, 1, 0, (uint64_t)i, 70);
        for (int c = 0; c < 3; c++) px[3 * i + c] = in ? colour[k][c] : (uint8_t)grey;
        mask[i] = y == 0 ? IVL_MASK_IGNORE : (uint8_t)(in ? 1 + k : 0);
    }
}

static void make_data(void)
{
    uint8_t px[SIDE * SIDE * 3], mask[SIDE * SIDE];
    char name[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (int k = 0; k < 3; k++) {
        char path[256];
        snprintf(path, sizeof path, "%s/classes/%c", dir, "abc"[k]);
        ck_assert_int_eq(ivl_make_dirs(path), IVL_OK);
        for (int i = 0; i < PER_CLASS; i++) {
            paint(k, k * PER_CLASS + i, px, mask);
            snprintf(name, sizeof name, "classes/%c/%d.png", "abc"[k], i);
            write_png(name, px, 3);
        }
    }
    snprintf(name, sizeof name, "%s/scenes", dir);
    ck_assert_int_eq(ivl_make_dirs(name), IVL_OK);
    for (int i = 0; i < SCENES; i++) {
        paint(i % 3, 1000 + i, px, mask);
        snprintf(name, sizeof name, "scenes/%d.png", i);
        write_png(name, px, 3);
        snprintf(name, sizeof name, "scenes/%d.mask.png", i);
        write_png(name, mask, 1);
    }
}

static void remove_data(void) { remove_tree(dir); }

static ivl_probe_options options(const char *data, const char *out)
{
    static char text[2][256];
    snprintf(text[0], sizeof text[0], "%s/%s", dir, data);
    snprintf(text[1], sizeof text[1], "%s/%s", dir, out);
    return (ivl_probe_options){ .data = text[0],
                                .out = text[1],
                                .holdout = 0.25,
                                .frozen = { .model = source("tests/golden/odd"), .batch = 8, .fit = IVL_FIT_SQUASH },
                                .rule = { .momentum = 0.9, .clip = 5, .epochs = 12, .warmup = 1 } };
}

static char *slurp(const char *name)
{
    char path[256], *data = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(ivl_read_file(path, 0, &data, &n) == IVL_OK, "%s", ivl_last_error());
    return data;
}

START_TEST(probe_learns)
{
    ivl_device *dev = NULL;
    ivl_probe_result r[2];
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    for (int i = 0; i < 2; i++) {
        ivl_probe_options o = options("classes", i ? "probe2" : "probe1");
        ck_assert_msg(ivl_probe(dev, &o, &r[i]) == IVL_OK, "%s", ivl_last_error());
    }
    ck_assert_int_eq(r[0].classes, 3);
    ck_assert_int_eq(r[0].images, 3 * PER_CLASS * 3 / 4);
    ck_assert_int_eq(r[0].test_images, 3 * PER_CLASS / 4);
    ck_assert_double_ge(r[0].top1, 0.7); /* chance: a third */
    char *a = slurp("probe1/probe.json"), *b = slurp("probe2/probe.json");
    ck_assert_str_eq(a, b);
    free(a), free(b);
    ivl_probe_options views = options("classes", "probe3");
    views.views = 2;
    ck_assert_msg(ivl_probe(dev, &views, &r[0]) == IVL_OK, "%s", ivl_last_error());
    ivl_device_close(dev);
}
END_TEST

/* Loss of the first or, at -1, the last epoch in OUT/seg.json. */
static double loss_of(const json_t *j, int epoch)
{
    const json_t *list = json_object_get(j, "history");
    size_t i = epoch < 0 ? json_array_size(list) - 1 : (size_t)epoch;
    return json_real_value(json_object_get(json_array_get(list, i), "loss"));
}

static const struct { const char *head; double rate, miou; } seg_head[] = {
    { NULL, 0.02, 0.35 }, /* background everywhere: about 0.2 */
    { "upernet", 0.005, 0.35 },
};

START_TEST(seg_learns)
{
    ivl_device *dev = NULL;
    ivl_seg_result r[2];
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    for (int i = 0; i < 2; i++) {
        ivl_probe_options o = options("scenes", i ? "seg2" : "seg1");
        o.head = seg_head[_i].head, o.channels = _i ? 16 : 0;
        o.rule.batch = 8, o.rule.rate = seg_head[_i].rate, o.label_size = 14, o.rule.epochs = 20;
        ck_assert_msg(ivl_seg(dev, &o, &r[i]) == IVL_OK, "%s", ivl_last_error());
    }
    ck_assert_int_eq(r[0].classes, 4);
    ck_assert_double_ge(r[0].miou, seg_head[_i].miou);
    ck_assert_double_eq(r[0].miou, r[1].miou);
    char *a = slurp("seg1/seg.json"), *b = slurp("seg2/seg.json");
    ck_assert_str_eq(a, b);
    json_t *j = json_loads(a, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(j, "head")), _i ? "upernet" : "linear");
    ck_assert_int_eq(json_integer_value(json_object_get(j, "channels")), _i ? 16 : 0);
    ck_assert_int_eq(json_array_size(json_object_get(j, "layers")), _i ? 4 : 0);
    ck_assert_double_lt(loss_of(j, -1), 0.6 * loss_of(j, 0));
    json_decref(j);
    free(a), free(b);
    ivl_device_close(dev);
}
END_TEST

/* The trained head in OUT/heads.safetensors: its names, and statistics that are no longer fresh. */
START_TEST(seg_is_saved)
{
    ivl_device *dev = NULL;
    ivl_stream *s = NULL;
    ivl_heads *h = NULL;
    ivl_seg_result r;
    double mean[16], moved = 0;
    char path[256];
    ivl_probe_options o = options("scenes", "seg3");
    o.head = "upernet", o.channels = 16, o.rule.batch = 8, o.label_size = 14, o.rule.epochs = 1;
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    ck_assert_int_eq(ivl_stream_open(dev, &s), IVL_OK);
    ck_assert_msg(ivl_seg(dev, &o, &r) == IVL_OK, "%s", ivl_last_error());
    snprintf(path, sizeof path, "%s/seg3/heads.safetensors", dir);
    ck_assert_msg(ivl_heads_load(dev, s, IVL_F32, false, path, &h) == IVL_OK, "%s", ivl_last_error());
    static const char *const name[] = { "backbone.up1.3.weight", "decode_head.psp_modules.3.1.conv.weight",
                                        "decode_head.conv_seg.bias", "auxiliary_head.convs.0.bn.running_var" };
    for (int i = 0; i < 4; i++) ck_assert_msg(ivl_heads_find(h, name[i]) != NULL, "%s", name[i]);
    ck_assert_int_eq(ivl_head_read(h, s, "decode_head.fpn_bottleneck.bn.running_mean", mean), IVL_OK);
    for (int i = 0; i < 16; i++) moved += fabs(mean[i]);
    ck_assert_double_gt(moved, 0);
    ivl_heads_destroy(h);
    ivl_stream_close(s), ivl_device_close(dev);
}
END_TEST

START_TEST(wrong_data_is_named)
{
    ivl_device *dev = NULL;
    ivl_probe_result r;
    ivl_seg_result k;
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    ivl_probe_options o = options("scenes", "none"); /* no class folders */
    ck_assert_int_eq(ivl_probe(dev, &o, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "which class"));
    o = options("classes", "none"); /* no masks */
    ck_assert_int_eq(ivl_seg(dev, &o, &k), IVL_EFORMAT);
    o = options("scenes", "none");
    o.frozen.layer = 99;
    ck_assert_int_eq(ivl_seg(dev, &o, &k), IVL_EINVAL);
    o = options("scenes", "none");
    o.head = "pspnet";
    ck_assert_int_eq(ivl_seg(dev, &o, &k), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "linear or upernet"));
    o.head = "linear", o.channels = 8;
    ck_assert_int_eq(ivl_seg(dev, &o, &k), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "channels"));
    o.head = "upernet", o.rule.batch = 1;
    ck_assert_int_eq(ivl_seg(dev, &o, &k), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "2 pictures a step"));
    o.rule.batch = 8, o.frozen.image_size = 14;
    ck_assert_int_eq(ivl_seg(dev, &o, &k), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "2 x 2 patches"));
    ivl_device_close(dev);
}
END_TEST

START_TEST(masks)
{
    uint8_t id[SIDE * SIDE], small[3 * 2];
    uint8_t *data = NULL;
    size_t n = 0;
    ivl_mask_image m = { 0 };
    for (int i = 0; i < SIDE * SIDE; i++) id[i] = (uint8_t)(i % SIDE / (SIDE / 3) * 10 + i / SIDE / (SIDE / 2));
    ck_assert_int_eq(ivl_png_encode(id, SIDE, SIDE, 1, &data, &n), IVL_OK);
    ck_assert_msg(ivl_mask_decode(data, n, "m", &m) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(memcmp(m.id, id, sizeof id), 0);
    ivl_mask_resize(&m, 3, 2, small);
    ck_assert_int_eq(memcmp(small, (uint8_t[]){ 0, 10, 20, 1, 11, 21 }, 6), 0);
    ivl_mask_free(&m);
    for (size_t cut = 0; cut + 64 < n; cut += 7) {
        ck_assert_int_ne(ivl_mask_decode(data, cut, "shard: key", &m), IVL_OK);
        ck_assert_ptr_nonnull(strstr(ivl_last_error(), "shard: key"));
    }
    free(data);
    /* palette masks: values are indices, not colours; others are refused */
    static const struct { const char *name; int ok; } file[] = {
        { "palette8.png", 1 }, { "palette2.png", 1 }, { "gray4.png", 1 }, { "rgb8.png", 0 }, { "gray16.png", 0 },
    };
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        char path[128], *bytes = NULL;
        snprintf(path, sizeof path, "tests/golden/images/%s", file[i].name);
        ck_assert_int_eq(ivl_read_file(source(path), 0, &bytes, &n), IVL_OK);
        ck_assert_int_eq(ivl_mask_decode(bytes, n, file[i].name, &m) == IVL_OK, file[i].ok);
        for (int j = 0; i == 1 && j < m.width * m.height; j++) ck_assert_int_lt(m.id[j], 4);
        ivl_mask_free(&m);
        free(bytes);
    }
}
END_TEST

START_TEST(scores)
{
    const int64_t counts[] = { 6, 2, 0, 1, 3, 0, 0, 0, 0 }; /* the third class is nowhere */
    double iou[3], accuracy[3];
    ivl_seg_scores s = { .iou = iou, .accuracy = accuracy };
    ivl_seg_score(counts, 3, &s);
    ck_assert_double_eq_tol(iou[0], 6 / 9.0, 1e-12);
    ck_assert_double_eq_tol(iou[1], 3 / 6.0, 1e-12);
    ck_assert(isnan(iou[2]) && isnan(accuracy[2]));
    ck_assert_double_eq_tol(s.miou, (6 / 9.0 + 0.5) / 2, 1e-12);
    ck_assert_double_eq_tol(s.mean_accuracy, (0.75 + 0.75) / 2, 1e-12);
    ck_assert_double_eq_tol(s.pixel_accuracy, 9 / 12.0, 1e-12);
}
END_TEST

START_TEST(held_out_by_class)
{
    int32_t label[20];
    bool held[20], again[20];
    int n[3] = { 0 };
    for (int i = 0; i < 20; i++) label[i] = i < 10 ? 0 : i < 19 ? 1 : 2;
    ck_assert_int_eq(ivl_hold_out(label, 20, 0.3, 7, held), IVL_OK);
    ck_assert_int_eq(ivl_hold_out(label, 20, 0.3, 7, again), IVL_OK);
    ck_assert_int_eq(memcmp(held, again, sizeof held), 0);
    for (int i = 0; i < 20; i++) n[label[i]] += held[i];
    ck_assert_int_eq(n[0], 3);
    ck_assert_int_eq(n[1], 3);
    ck_assert_int_eq(n[2], 0); /* a class of one record is trained on */
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("heads");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, make_data, remove_data);
    tcase_add_test(t, probe_learns);
    tcase_add_loop_test(t, seg_learns, 0, 2);
    tcase_add_test(t, seg_is_saved);
    tcase_add_test(t, wrong_data_is_named);
    tcase_add_test(t, masks);
    tcase_add_test(t, scores);
    tcase_add_test(t, held_out_by_class);
    return run_suite("heads", t);
}
