/* Evaluation of a model that knows four pictures by heart: matching, captions. */
#include <jansson.h>

#include "tests/train/toy.h"
#include "train/caption_results.h"
#include "train/captions.h"
#include "train/eval.h"
#include "train/matcher.h"
#include "train/rerank.h"

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

static json_t *first_result(void)
{
    json_t *all = json_load_file(file, 0, NULL), *r = json_array_get(json_object_get(all, "results"), 0);
    ck_assert_ptr_nonnull(r);
    json_incref(r);
    json_decref(all);
    return r;
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

/* In any order of records each caption's own picture comes out first. */
START_TEST(reranks)
{
    static const int32_t record[PICTURES] = { 2, 0, 3, 1 };
    ivl_device *dev = host();
    ivl_dataset *ds = NULL;
    ivl_matcher *m = NULL;
    float score[PICTURES];
    ck_assert_int_eq(ivl_dataset_open(list, &ds), IVL_OK);
    ck_assert_int_eq(ivl_matcher_open(model, dev, &(ivl_matcher_options){ .batch = 3 }, &m), IVL_OK);
    for (int k = 0; k < PICTURES; k++) {
        ck_assert_int_eq(ivl_rerank(m, ds, record, PICTURES, words[k], score), IVL_OK);
        for (int i = 0; i < PICTURES; i++) {
            if (record[i] == k) ck_assert_float_gt(score[i], 0.5f);
            else ck_assert_float_lt(score[i], 0.5f);
        }
    }
    ivl_matcher_close(m);
    ivl_dataset_close(ds);
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
    return want == IVL_OK ? first_result() : NULL;
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

/* --- captions -------------------------------------------------------------------------------------- */

static ivl_eval_captions writes(int beams)
{
    ivl_eval_captions k = { .captioner = { .batch = 3, .decode = ivl_decode_defaults() }, .embedder = { .batch = 3 } };
    k.captioner.decode.beams = beams;
    return k;
}

/* Of a corpus in which every caption is its reference. */
static void check_perfect(const json_t *metrics)
{
    ck_assert_double_eq_tol(number(metrics, "bleu1"), 1, 1e-6);
    ck_assert_double_eq_tol(number(metrics, "rouge_l"), 1, 1e-6);
    ck_assert_double_eq_tol(number(metrics, "cider"), (10 + 5 + 5 + 10) / 4., 1e-5); /* two words have no 3-grams */
}

START_TEST(scores_captions)
{
    ivl_device *dev = host();
    ivl_dataset *ds = NULL;
    ivl_eval_captions k = writes(2);
    ivl_eval_options o = { .model = model, .data = list, .n_examples = 3, .examples = toy_path("captions.json") };
    k.neighbours = list, k.write = toy_path("coco.json");
    ck_assert_int_eq(ivl_dataset_open(list, &ds), IVL_OK);
    ck_assert_msg(ivl_eval_caption(model, dev, &k, ds, &o, file) == IVL_OK, "%s", ivl_last_error());
    json_t *r = first_result(), *examples = json_load_file(toy_path("captions.json"), 0, NULL);
    check_perfect(json_object_get(r, "metrics"));
    check_perfect(json_object_get(r, "neighbour")); /* each picture is its own neighbour */
    ck_assert_double_eq(number(r, "pictures"), PICTURES);
    ck_assert_double_eq(number(r, "references"), PICTURES);
    ck_assert_double_eq(number(r, "beams"), 2);
    const json_t *shown = json_object_get(examples, "captions"), *e = json_array_get(shown, 2);
    ck_assert_uint_eq(json_array_size(shown), 3);
    ck_assert_str_eq(json_string_value(json_object_get(e, "text")), words[2]);
    ck_assert_str_eq(json_string_value(json_object_get(e, "neighbour")), words[2]);
    ck_assert(!strncmp(json_string_value(json_object_get(e, "image")), "data:image/png;base64,iVBOR", 27));
    json_decref(r), json_decref(examples);
    ivl_eval_captions read = { .results = toy_path("coco.json") };
    o.examples = NULL;
    ck_assert_msg(ivl_eval_caption(NULL, NULL, &read, ds, &o, file) == IVL_OK, "%s", ivl_last_error());
    r = first_result();
    check_perfect(json_object_get(r, "metrics"));
    ck_assert_ptr_null(json_object_get(r, "neighbour"));
    json_decref(r);
    ivl_dataset_close(ds);
    ivl_device_close(dev);
}
END_TEST

/* Captions from elsewhere, and what may be wrong with them. */
START_TEST(reads_captions)
{
#define ENTRY(id, caption) "{\"image_id\": " id ", \"caption\": \"" caption "\"}"
    static const struct { const char *json, *want; } t[] = {
        { "[" ENTRY("1", "two dogs") ", " ENTRY("\"2\"", "red street") "]", NULL },
        { "[" ENTRY("9", "x") "]", "entry 1: image_id 9 is of no picture" },
        { "[" ENTRY("1", "x") ", " ENTRY("\"1\"", "y") "]", "image_id \"1\" is there twice" },
        { "[{\"image_id\": 1}]", "entry 1 has no" },
        { "{}", "no JSON list" },
        { "[", "no JSON list" },
        { "[]", "no captions of pictures" },
    };
#undef ENTRY
    ivl_dataset *ds = NULL;
    ivl_eval_options o = { .model = model, .data = list };
    ivl_eval_captions k = { .results = toy_path("given.json") };
    ck_assert_int_eq(ivl_dataset_open(list, &ds), IVL_OK);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        FILE *f = fopen(k.results, "w");
        fputs(t[i].json, f);
        fclose(f);
        ivl_status s = ivl_eval_caption(NULL, NULL, &k, ds, &o, file);
        ck_assert_msg((s == IVL_OK) == !t[i].want, "%zu: %s", i, ivl_last_error());
        if (t[i].want) {
            ck_assert_msg(strstr(ivl_last_error(), t[i].want), "%s", ivl_last_error());
            continue;
        }
        json_t *r = first_result();
        ck_assert_double_eq(number(r, "pictures"), 2);
        ck_assert_double_eq(number(r, "without_caption"), 2);
        ck_assert_double_eq_tol(number(json_object_get(r, "metrics"), "bleu1"), 1, 1e-6);
        json_decref(r);
    }
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
    tcase_add_test(t, reranks);
    tcase_add_test(t, scores_matching);
    tcase_add_test(t, needs_a_wrong_caption);
    tcase_add_test(t, scores_captions);
    tcase_add_test(t, reads_captions);
    return run_suite("evaluation", t);
}
