/* Stage 2 on the host device: it needs a model of stage 1, learns one batch by heart, ends in the same bytes after a
 * stop, and then writes the captions that it learned. */
#include <png.h>
#include <unistd.h>

#include "runtime/file.h"
#include "tests/suite.h"
#include "train/captioner.h"
#include "train/train.h"

static char dir[] = "/tmp/ivl-stage2-XXXXXX";
static char list[4096], tokenizer[4096];

enum { PICTURES = 4, SIDE = 28 };
static const char *const words[PICTURES] = { "a cat on the table", "two dogs", "red street", "a small green bus" };

static void draw(const char *path, int i)
{
    uint8_t rgb[SIDE][SIDE][3];
    png_image im = { .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB };
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++) rgb[y][x][c] = (uint8_t)((i & 1 ? x : y) * (3 + 5 * i) + c * 60 * i);
    ck_assert_int_ne(png_image_write_to_file(&im, path, 0, rgb, 0, NULL), 0);
}

static void setup(void)
{
    char here[2048], path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_ptr_nonnull(realpath(source("tests/golden/odd/tokenizer.model"), here));
    snprintf(tokenizer, sizeof tokenizer, "tokenizer=%s", here);
    snprintf(list, sizeof list, "%s/list.csv", dir);
    FILE *f = fopen(list, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "path,caption\n");
    for (int i = 0; i < PICTURES; i++) {
        snprintf(path, sizeof path, "%s/%d.png", dir, i);
        draw(path, i);
        fprintf(f, "%s,%s\n", path, words[i]);
    }
    fclose(f);
}

static void teardown(void) { remove_tree(dir); }

static ivl_status train(const char *name, const char *const *more, ivl_train_options o, bool *done_p)
{
    ivl_recipe r;
    ivl_device *dev = NULL;
    char text[4200], out[128];
    static const char *const usual[] = { "model=tiny", "batch=4", "text_len=40", "image_size=28", "lr_text=3e-3",
                                         "lr_image=3e-3", "lr_other=3e-3", "warmup=2", "crop_min=1",
                                         "checkpoint_every=3", NULL };
    ck_assert_int_eq(ivl_conf_defaults(ivl_recipe_rows, ivl_recipe_n_rows, &r), IVL_OK);
    snprintf(text, sizeof text, "data=%s", list);
    ck_assert_int_eq(ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, &r, text, "test"), IVL_OK);
    ck_assert_int_eq(ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, &r, tokenizer, "test"), IVL_OK);
    for (int i = 0; usual[i]; i++)
        ck_assert_int_eq(ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, &r, usual[i], "test"), IVL_OK);
    for (int i = 0; more[i]; i++)
        ck_assert_int_eq(ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, &r, more[i], "test"), IVL_OK);
    snprintf(out, sizeof out, "%s/%s", dir, name);
    o.out = out;
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    ivl_status s = ivl_train(&r, dev, &o, done_p);
    ivl_device_close(dev);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
    return s;
}

static char init[128];

static void stage1(void)
{
    bool done = false;
    snprintf(init, sizeof init, "init=%s/one/model", dir);
    if (train("one", (const char *const[]){ "steps=2", NULL }, (ivl_train_options){ 0 }, &done) != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
    ck_assert(done);
}

static ivl_train_progress last;
static int stop_at;
static volatile int stop;
static void hear(void *ctx, const ivl_train_progress *p)
{
    (void)ctx;
    last = *p;
    if (stop_at && p->step >= stop_at) stop = 1;
}

START_TEST(needs_a_first_stage)
{
    bool done;
    ck_assert_int_eq(train("x", (const char *const[]){ "stage=2", NULL }, (ivl_train_options){ 0 }, &done), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "init"));
}
END_TEST

START_TEST(stopped_and_resumed_is_the_same)
{
    static const char *const files[] = { "whole", "parts" };
    char *data[2] = { 0 }, path[160];
    size_t n[2];
    bool done = false;
    stage1();
    const char *const more[] = { "stage=2", init, "steps=7", NULL };
    ck_assert_int_eq(train("whole", more, (ivl_train_options){ 0 }, &done), IVL_OK);
    stop = 0, stop_at = 2;
    ck_assert_int_eq(train("parts", more, (ivl_train_options){ .stop = &stop, .progress = hear }, &done), IVL_OK);
    stop_at = 0;
    for (int i = 0; !done && i < 3; i++)
        ck_assert_int_eq(train("parts", more, (ivl_train_options){ .resume = true }, &done), IVL_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/model/model.safetensors", dir, files[i]);
        ck_assert_int_eq(ivl_read_file(path, 0, &data[i], &n[i]), IVL_OK);
    }
    ck_assert_uint_eq(n[0], n[1]);
    ck_assert_mem_eq(data[0], data[1], n[0]);
    free(data[0]), free(data[1]);
}
END_TEST

/* What the model under dir/name writes about picture i. */
static char *caption(const char *name, int i, int beams)
{
    char model[128], path[128], *bytes = NULL, *text = NULL;
    size_t n = 0;
    ivl_device *dev = NULL;
    ivl_captioner *c = NULL;
    ivl_captioner_options o = { .batch = 3, .decode = ivl_decode_defaults() };
    o.decode.beams = beams;
    snprintf(model, sizeof model, "%s/%s/model", dir, name), snprintf(path, sizeof path, "%s/%d.png", dir, i);
    ck_assert_int_eq(ivl_read_file(path, 0, &bytes, &n), IVL_OK);
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    if (ivl_captioner_open(model, dev, &o, &c) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    if (ivl_captioner_run(c, &(ivl_picture){ bytes, n, path }, 1, &text) != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
    ivl_captioner_close(c);
    ivl_device_close(dev);
    free(bytes);
    return text;
}

START_TEST(writes_what_it_learned)
{
    bool done = false;
    stage1();
    const char *const more[] = { "stage=2", init, "train=all", "steps=150", "checkpoint_every=1000", NULL };
    if (train("two", more, (ivl_train_options){ .overfit = true, .progress = hear }, &done) != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
    ck_assert_double_lt(last.itg, 0.1);
    ck_assert_double_lt(last.itm, 0.1);
    ck_assert_double_gt(last.itg_hits, 0.95);
    for (int i = 0; i < PICTURES; i++)
        for (int beams = 1; beams <= 3; beams += 2) {
            char *text = caption("two", i, beams);
            ck_assert_str_eq(text, words[i]);
            free(text);
        }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("stage 2");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, needs_a_first_stage);
    tcase_add_test(t, stopped_and_resumed_is_the_same);
    tcase_add_test(t, writes_what_it_learned);
    return run_suite("stage 2", t);
}
