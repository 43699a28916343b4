#include "tests/train/toy.h"

#include <png.h>
#include <unistd.h>

#include "model/safetensors.h"
#include "runtime/file.h"

enum { SIDE = 28 };
const char *const toy_words[TOY_PICTURES] = { "a cat on the table", "two dogs",    "red street",
                                             "a small green bus",  "a cat asleep", "street by night" };

char toy_dir[64];
static char list[128], tokenizer[4096];

static void draw(const char *path, int i)
{
    uint8_t rgb[SIDE][SIDE][3];
    png_image im = { .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB };
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++) rgb[y][x][c] = (uint8_t)((i & 1 ? x : y) * (3 + 5 * i) + c * 60 * i);
    ck_assert_int_ne(png_image_write_to_file(&im, path, 0, rgb, 0, NULL), 0);
}

/* Two captions a picture; two pictures are of one group. */
void toy_setup(void)
{
    char here[2048];
    strcpy(toy_dir, "/tmp/ivl-toy-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(toy_dir));
    ck_assert_ptr_nonnull(realpath(source("tests/golden/odd/tokenizer.model"), here));
    snprintf(tokenizer, sizeof tokenizer, "tokenizer=%s", here);
    snprintf(list, sizeof list, "data=%s/list.csv", toy_dir);
    FILE *f = fopen(list + 5, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "path,caption,group\n");
    for (int i = 0; i < TOY_PICTURES; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%d.png", toy_dir, i);
        draw(path, i);
        const char *group = strstr(toy_words[i], "cat") ? "cats" : "";
        fprintf(f, "%s,%s,%s\n%s,%s again,%s\n", path, toy_words[i], group, path, toy_words[i], group);
    }
    fclose(f);
}

void toy_teardown(void) { remove_tree(toy_dir); }

static void set(ivl_recipe *r, const char *assignment)
{
    if (ivl_conf_set(ivl_recipe_rows, ivl_recipe_n_rows, r, assignment, "test") != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
}

void toy_recipe(ivl_recipe *r, const char *const *more)
{
    static const char *const usual[] = { "model=tiny",   "batch=4",       "text_len=28", "image_size=28",
                                         "lr_text=3e-3", "lr_image=3e-3", "lr_other=3e-3", "warmup=2",
                                         "crop_min=1",   "checkpoint_every=3" };
    ck_assert_int_eq(ivl_conf_defaults(ivl_recipe_rows, ivl_recipe_n_rows, r), IVL_OK);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) set(r, usual[i]);
    set(r, list), set(r, tokenizer);
    for (; *more; more++) set(r, *more);
}

void toy_free(ivl_recipe *r) { ivl_conf_free(ivl_recipe_rows, ivl_recipe_n_rows, r); }

const char *toy_device(void)
{
    const char *d = getenv("IVL_TEST_DEVICE");
    return d && *d ? d : "host";
}

const char *toy_path(const char *name)
{
    static char path[8][256];
    static int at;
    char *p = path[at++ & 7];
    snprintf(p, sizeof path[0], "%s/%s", toy_dir, name);
    return p;
}

ivl_status toy_train(const char *name, const char *const *more, ivl_train_options o, bool *done_p)
{
    ivl_recipe r;
    ivl_device *dev = NULL;
    toy_recipe(&r, more);
    o.out = toy_path(name);
    ck_assert_int_eq(ivl_device_open(toy_device(), &dev), IVL_OK);
    ivl_status s = ivl_train(&r, dev, &o, done_p);
    ivl_device_close(dev);
    toy_free(&r);
    return s;
}

void toy_must(const char *name, const char *const *more, ivl_train_options o)
{
    bool done = false;
    if (toy_train(name, more, o, &done) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    ck_assert(done);
}

char *toy_bytes(const char *name, size_t *n_p)
{
    char *data = NULL;
    if (ivl_read_file(toy_path(name), 0, &data, n_p) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    return data;
}

void toy_hear(void *ctx, const ivl_train_progress *p)
{
    toy_watch *w = ctx;
    w->last = *p;
    if (w->stop_at && p->step >= w->stop_at) w->stop = 1;
}

const char *toy_stage1(void)
{
    static char text[300];
    toy_must("one", (const char *const[]){ "steps=2", NULL }, (ivl_train_options){ 0 });
    snprintf(text, sizeof text, "init=%s", toy_path("one/model"));
    return text;
}

const char *toy_stage2(void)
{
    static char text[300];
    toy_must("two", (const char *const[]){ "stage=2", toy_stage1(), "steps=2", NULL }, (ivl_train_options){ 0 });
    snprintf(text, sizeof text, "init=%s", toy_path("two/model"));
    return text;
}

bool toy_differs(const char *model, const char *other, const char *name)
{
    ivl_st *st[2] = { NULL };
    float *x[2] = { NULL };
    const char *const file[] = { model, other };
    int64_t n = 0;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ivl_st_open(file[i], &st[i]), IVL_OK);
        const ivl_st_tensor *t = ivl_st_find(st[i], name);
        ck_assert_ptr_nonnull(t);
        n = t->elements, x[i] = malloc((size_t)n * sizeof **x);
        ck_assert_int_eq(ivl_st_read(t, 0, n, IVL_F32, x[i]), IVL_OK);
        ivl_st_close(st[i]);
    }
    bool differs = memcmp(x[0], x[1], (size_t)n * sizeof **x) != 0;
    free(x[0]), free(x[1]);
    return differs;
}
