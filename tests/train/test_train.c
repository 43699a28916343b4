/* A small real run on the host device: resume, recompute and micro-batches change no bit (or, for micro-batches, no
 * more than rounding); a step waits for nothing and allocates nothing; bad runs say why. */
#include <check.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "train/train.h"
#include "train/trainer.h"
#include "tests/suite.h"

static char dir[] = "/tmp/ivl-train-XXXXXX";
static char list[4096], tokenizer[4096];

enum { PICTURES = 10, SIDE = 32 };

/* A picture of its own colours and stripes. */
static void draw(const char *path, int i)
{
    uint8_t rgb[SIDE][SIDE][3];
    png_image im = { .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB };
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++)
                rgb[y][x][c] = (uint8_t)((i * 83 + c * 57 + (i & 1 ? x : y) / (4 + i) * 97) & 255);
    ck_assert_int_ne(png_image_write_to_file(&im, path, 0, rgb, 0, NULL), 0);
}

static const char *source_dir(void)
{
    const char *s = getenv("srcdir");
    return s ? s : ".";
}

static void setup(void)
{
    char here[2048];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_ptr_nonnull(realpath(source_dir(), here));
    snprintf(tokenizer, sizeof tokenizer, "%s/tests/golden/odd/tokenizer.model", here);
    snprintf(list, sizeof list, "%s/list.csv", dir);
    FILE *f = fopen(list, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "path,caption\n");
    for (int i = 0; i < PICTURES; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%d.png", dir, i);
        draw(path, i);
        fprintf(f, "%s,a cat of kind %d\n", path, i);
    }
    fclose(f);
}

static void teardown(void)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static void set(ivl_recipe *r, const char *assignment)
{
    if (ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, r, assignment, "test") != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
}

static void recipe(ivl_recipe *r)
{
    char text[8300];
    static const char *const rows[] = { "model=tiny",         "steps=8",       "batch=4",
                                        "text_len=32",        "image_size=28", "low_size=28",
                                        "low_steps=5",        "drop_path=0.2", "warmup=2",
                                        "checkpoint_every=3", "lr_text=1e-3" };
    ck_assert_int_eq(ivl_conf_defaults(ivl_recipe_rows, ivl_recipe_n_rows, r), IVL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) set(r, rows[i]);
    snprintf(text, sizeof text, "data=%s", list), set(r, text);
    snprintf(text, sizeof text, "tokenizer=%s", tokenizer), set(r, text);
}

static const char *device(void)
{
    const char *d = getenv("IVL_TEST_DEVICE");
    return d && *d ? d : "host";
}

static ivl_status run(const ivl_recipe *r, ivl_train_options o, const char *name, char **out_p, bool *done_p)
{
    ivl_device *dev = NULL;
    *out_p = ivl_path_join(dir, name);
    o.out = *out_p;
    ck_assert_int_eq(ivl_device_open(device(), &dev), IVL_OK);
    ivl_status s = ivl_train(r, dev, &o, done_p);
    ivl_device_close(dev);
    return s;
}

/* Trains with one more assignment; returns the model's bytes. */
static char *model_of(const char *name, const char *more, size_t *n_p)
{
    ivl_recipe r;
    char *out, *data = NULL;
    bool done = false;
    recipe(&r);
    if (more) set(&r, more);
    if (run(&r, (ivl_train_options){ 0 }, name, &out, &done) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    ck_assert(done);
    char *path = ivl_path_join(out, "model/model.safetensors");
    ck_assert_int_eq(ivl_read_file(path, 0, &data, n_p), IVL_OK);
    free(path), free(out);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
    return data;
}

START_TEST(recompute_changes_no_bit)
{
    size_t n, m;
    char *a = model_of("a", NULL, &n), *b = model_of("b", "recompute=true", &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(a, b, n);
    free(a), free(b);
}
END_TEST

START_TEST(workers_change_no_bit)
{
    size_t n, m;
    char *a = model_of("a", NULL, &n), *b = model_of("b", "workers=3", &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(a, b, n);
    free(a), free(b);
}
END_TEST

static int stop_at;
static volatile int stop;

static void stop_after(void *ctx, const ivl_train_progress *p)
{
    (void)ctx;
    if (p->step >= stop_at) stop = 1;
}

START_TEST(stopped_and_resumed_is_the_same)
{
    ivl_recipe r;
    size_t n, m;
    bool done = true;
    char *whole = model_of("a", NULL, &n), *out, *resumed = NULL;
    recipe(&r);
    stop = 0, stop_at = 1 + _i;
    ivl_train_options o = { .stop = &stop, .progress = stop_after };
    ck_assert_int_eq(run(&r, o, "b", &out, &done), IVL_OK);
    free(out);
    for (int i = 0; !done && i < 3; i++) {
        ck_assert_int_eq(run(&r, (ivl_train_options){ .resume = true }, "b", &out, &done), IVL_OK);
        free(out);
    }
    char path[128];
    snprintf(path, sizeof path, "%s/b/model/model.safetensors", dir);
    ck_assert_int_eq(ivl_read_file(path, 0, &resumed, &m), IVL_OK);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(whole, resumed, n);
    free(whole), free(resumed);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
}
END_TEST

START_TEST(another_recipe_is_refused)
{
    ivl_recipe r;
    char *out;
    bool done;
    recipe(&r);
    ck_assert_int_eq(run(&r, (ivl_train_options){ 0 }, "a", &out, &done), IVL_OK);
    free(out);
    ck_assert_int_eq(run(&r, (ivl_train_options){ 0 }, "a", &out, &done), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "--resume"));
    free(out);
    set(&r, "lr_image=2e-3");
    ck_assert_int_eq(run(&r, (ivl_train_options){ .resume = true }, "a", &out, &done), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "lr_image"));
    free(out);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
}
END_TEST

static double last_loss;
static void keep_loss(void *ctx, const ivl_train_progress *p) { (void)ctx, last_loss = p->loss; }

START_TEST(overfits_one_batch)
{
    ivl_recipe r;
    char *out;
    bool done;
    recipe(&r);
    set(&r, "steps=60"), set(&r, "low_steps=0"), set(&r, "drop_path=0"), set(&r, "checkpoint_every=1000");
    ivl_train_options o = { .overfit = true, .progress = keep_loss };
    ck_assert_int_eq(run(&r, o, "a", &out, &done), IVL_OK);
    ck_assert_double_lt(last_loss, 0.2);
    free(out);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
}
END_TEST

START_TEST(micro_batches_give_the_big_batch)
{
    ivl_recipe r;
    char *out;
    bool done;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        recipe(&r);
        set(&r, i ? "micro_batch=2" : "micro_batch=0");
        ck_assert_int_eq(run(&r, (ivl_train_options){ .progress = keep_loss }, i ? "b" : "a", &out, &done), IVL_OK);
        loss[i] = last_loss;
        free(out);
        ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
    }
    /* eight AdamW steps amplify rounding of f32 storage (1e-7), not more */
    ck_assert_double_lt(fabs(loss[0] - loss[1]), 1e-4 * fabs(loss[0]));
}
END_TEST

static char traced[1024];

START_TEST(a_nan_is_traced)
{
    ivl_recipe r;
    char *out;
    bool done;
    recipe(&r);
    set(&r, "lr_image=1"), set(&r, "lr_text=1"), set(&r, "steps=40"), set(&r, "low_steps=0"), set(&r, "drop_path=0");
    set(&r, "compute=fp16"), set(&r, "clip=0"), set(&r, "warmup=0");
    ivl_status s = run(&r, (ivl_train_options){ .trace_nan = true }, "a", &out, &done);
    snprintf(traced, sizeof traced, "%s", ivl_last_error());
    ck_assert_int_eq(s, IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(traced, "first bad tensor: node"));
    free(out);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
}
END_TEST

/* The budget of a step: at most one copy to the device, one 64-byte result, no allocation, no wait. */
START_TEST(a_step_waits_for_nothing)
{
    ivl_recipe r;
    ivl_device *dev = NULL;
    recipe(&r);
    set(&r, "low_steps=0"), set(&r, "drop_path=0");
    char *out = ivl_path_join(dir, "a");
    ivl_train_options o = { .out = out };
    ck_assert_int_eq(ivl_device_open(device(), &dev), IVL_OK);
    ck_assert_int_eq(ivl_make_dirs(out), IVL_OK);
    ivl_trainer t = { .r = &r, .o = &o, .dev = dev };
    if (ivl_trainer_open(&t) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    int slot = -1;
    ck_assert_int_eq(ivl_loader_next(t.loader, &slot), IVL_OK);
    ivl_trainer_fill(&t, t.slot[slot], 0, &t.flight[0]);
    ck_assert_int_eq(ivl_step_run(t.plan[0], t.stream, t.flight[0].record, t.result, 0), IVL_OK); /* late compilation */
    ivl_counters before = ivl_counters_get();
    ck_assert_int_eq(ivl_step_run(t.plan[0], t.stream, t.flight[0].record, t.result, 0), IVL_OK);
    ivl_counters after = ivl_counters_get();
    ck_assert_uint_eq(after.allocs, before.allocs);
    ck_assert_uint_eq(after.syncs, before.syncs);
    ck_assert_uint_eq(after.reads + after.writes + after.builds, before.reads + before.writes + before.builds);
    ck_assert_uint_eq(after.copies - before.copies, 2); /* the batch in, the result out */
    ck_assert_int_eq(ivl_sync(t.stream), IVL_OK);
    ck_assert(isfinite(((float *)t.result.host)[0]));
    ck_assert_int_eq(ivl_metrics_close(t.metrics), IVL_OK);
    ivl_trainer_close(&t);
    ivl_device_close(dev);
    free(out);
    ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, &r);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("train");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, recompute_changes_no_bit);
    tcase_add_test(t, workers_change_no_bit);
    tcase_add_loop_test(t, stopped_and_resumed_is_the_same, 0, 3);
    tcase_add_test(t, another_recipe_is_refused);
    tcase_add_test(t, overfits_one_batch);
    tcase_add_test(t, micro_batches_give_the_big_batch);
    tcase_add_test(t, a_nan_is_traced);
    tcase_add_test(t, a_step_waits_for_nothing);
    return run_suite("train", t);
}
