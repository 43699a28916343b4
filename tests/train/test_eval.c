/* Evaluation of a model that knows four pictures by heart: matching. */
#include <jansson.h>

#include "tests/train/toy.h"
#include "train/captions.h"
#include "train/eval.h"
#include "train/matcher.h"

enum { PICTURES = 4 };
static const char *const words[PICTURES] = { "a cat on the table", "two dogs", "red street", "a small green bus" };
static char model[256], list[256], file[256];

/* A table with these lines after its header. */
static void put_table(const char *path, const char *lines)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "path,caption,lang,group\n%s", lines);
    fclose(f);
}

/* A caption each. */
static void learn(void)
{
    char lines[512] = "", data[300], init[300];
    toy_setup();
    snprintf(model, sizeof model, "%s", toy_path("two/model")), snprintf(file, sizeof file, "%s", toy_path("out.json"));
    snprintf(list, sizeof list, "%s", toy_path("four.csv"));
    for (int i = 0; i < PICTURES; i++) sprintf(lines + strlen(lines), "%d.png,%s,en,\n", i, words[i]);
    put_table(list, lines);
    snprintf(data, sizeof data, "data=%s", list), snprintf(init, sizeof init, "init=%s", toy_path("one/model"));
    toy_must("one", (const char *const[]){ data, "steps=2", NULL }, (ivl_train_options){ 0 });
    toy_must("two",
             (const char *const[]){ data, init, "stage=2", "train=all", "steps=150", "checkpoint_every=1000", NULL },
             (ivl_train_options){ 0 });
}

static ivl_device *host(void)
{
    ivl_device *dev = NULL;
    ck_assert_int_eq(ivl_device_open("host", &dev), IVL_OK);
    return dev;
}

static double number(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    ck_assert_msg(json_is_number(v), "no %s", key);
    return json_number_value(v);
}

static ivl_dataset *table(const char *name, const char *lines)
{
    ivl_dataset *ds = NULL;
    put_table(toy_path(name), lines);
    if (ivl_dataset_open(toy_path(name), &ds) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    return ds;
}

/* --- matching -------------------------------------------------------------------------------------- */

START_TEST(who_is_alike)
{
    ivl_dataset *ds = table("alike.csv", "0.png,a cat,en,x\n1.png,a cat,en,y\n2.png,a dog,en,x\n3.png,a bus,en,\n"
                                         "0.png,eine Katze,de,x\n");
    ivl_captions c = { 0 };
    ck_assert_int_eq(ivl_captions_read(ds, "alike.csv", NULL, &c), IVL_OK);
    ck_assert_int_eq(c.n_records, 4);
    ck_assert_int_eq(c.n, 5);
    static const bool alike[4][4] = { { 1, 1, 1, 0 }, { 1, 1, 0, 0 }, { 1, 0, 1, 0 }, { 0, 0, 0, 1 } };
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) ck_assert_msg(ivl_captions_alike(&c, i, k) == alike[i][k], "%d %d", i, k);
    ck_assert_int_eq(c.first[1], 2);
    ivl_captions_free(&c);
    ivl_dataset_close(ds);
}
END_TEST

/* Several texts a picture and an incomplete batch say what single pairs say. */
START_TEST(matches_in_batches)
{
    ivl_device *dev = host();
    ivl_matcher *one = NULL, *many = NULL;
    char *bytes[PICTURES], name[16];
    ivl_picture pic[PICTURES];
    const char *text[PICTURES * PICTURES];
    float score[PICTURES * PICTURES], single;
    ck_assert_int_eq(ivl_matcher_open(model, dev, &(ivl_matcher_options){ .batch = 1 }, &one), IVL_OK);
    ck_assert_int_eq(ivl_matcher_open(model, dev, &(ivl_matcher_options){ .batch = 5, .texts = PICTURES }, &many),
                     IVL_OK);
    for (int i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof name, "%d.png", i);
        bytes[i] = toy_bytes(name, &pic[i].n);
        pic[i].bytes = bytes[i], pic[i].name = words[i];
        for (int k = 0; k < PICTURES; k++) text[i * PICTURES + k] = words[k];
    }
    ck_assert_int_eq(ivl_matcher_run(many, pic, text, PICTURES, score), IVL_OK);
    for (int i = 0; i < PICTURES * PICTURES; i++) {
        ck_assert_int_eq(ivl_matcher_run(one, &pic[i / PICTURES], &text[i], 1, &single), IVL_OK);
        ck_assert_float_eq_tol(score[i], single, 1e-5f);
        if (i / PICTURES == i % PICTURES) ck_assert_float_gt(single, 0.5f);
    }
    for (int i = 0; i < PICTURES; i++) free(bytes[i]);
    ivl_matcher_close(one), ivl_matcher_close(many);
    ivl_device_close(dev);
}
END_TEST

static json_t *itm(const ivl_dataset *ds, const char *data, uint64_t seed, ivl_status want)
{
    ivl_device *dev = host();
    ivl_eval_options o = { .model = model, .data = data, .seed = seed };
    ivl_embedder_options e = { .batch = 3 };
    ck_assert_msg(ivl_eval_itm(model, dev, &e, ds, &o, file) == want, "%s", ivl_last_error());
    ivl_device_close(dev);
    if (want != IVL_OK) return NULL;
    json_t *all = json_load_file(file, 0, NULL), *r = json_array_get(json_object_get(all, "results"), 0);
    json_incref(r);
    json_decref(all);
    return r;
}

START_TEST(scores_matching)
{
    ivl_dataset *ds = NULL;
    ck_assert_int_eq(ivl_dataset_open(list, &ds), IVL_OK);
    json_t *a = itm(ds, list, 1, IVL_OK), *b = itm(ds, list, 1, IVL_OK);
    ck_assert(json_equal(a, b));
    const json_t *m = json_object_get(a, "metrics");
    ck_assert_double_eq(number(a, "pictures"), PICTURES);
    ck_assert_double_eq(number(a, "pairs"), 2 * PICTURES);
    ck_assert_double_eq(number(m, "acc_true_pairs"), 1);
    ck_assert_double_eq(number(m, "acc"), (1 + number(m, "acc_random_negatives")) / 2);
    ck_assert_double_eq(number(m, "acc_hard"), (1 + number(m, "acc_hard_negatives")) / 2);
    json_decref(a), json_decref(b);
    ivl_dataset_close(ds);
}
END_TEST

START_TEST(needs_a_wrong_caption)
{
    ivl_dataset *ds = table("same.csv", "0.png,a cat,en,x\n1.png,a dog,en,x\n");
    itm(ds, "same.csv", 0, IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "same.csv: there is no wrong caption"));
    ivl_dataset_close(ds);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("evaluation");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, learn, toy_teardown);
    tcase_add_test(t, who_is_alike);
    tcase_add_test(t, matches_in_batches);
    tcase_add_test(t, scores_matching);
    tcase_add_test(t, needs_a_wrong_caption);
    return run_suite("evaluation", t);
}
