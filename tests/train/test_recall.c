/* Recall by hand-made cases: positives, equal captions, ties, chance; zero-shot; schedules; CRC. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "train/recall.h"
#include "train/schedule.h"
#include "train/tfevents.h"
#include "tests/suite.h"

/* Pictures are unit axes; texts point to them. */
static void axes(float *v, const int *axis, int n, int dim)
{
    for (int i = 0; i < n * dim; i++) v[i] = 0;
    for (int i = 0; i < n; i++) v[i * dim + axis[i]] = 1;
}

START_TEST(perfect_and_wrong)
{
    float image[4 * 4], text[4 * 4];
    const int own[] = { 0, 1, 2, 3 }, off[] = { 1, 1, 2, 3 };
    const int32_t of[] = { 0, 1, 2, 3 };
    ivl_recall r;
    axes(image, own, 4, 4), axes(text, own, 4, 4);
    ivl_pairs p = { image, text, 4, 4, 4, of, of };
    ck_assert_int_eq(ivl_recall_text_to_image(&p, &r), IVL_OK);
    ck_assert_double_eq(r.at[0], 1);
    ck_assert_double_eq_tol(r.chance[0], 0.25, 1e-12);
    ck_assert_double_eq(r.chance[1], 1);
    axes(text, off, 4, 4); /* text 0 points at picture 1 */
    ck_assert_int_eq(ivl_recall_text_to_image(&p, &r), IVL_OK);
    ck_assert_double_eq(r.at[0], 0.75);
    ck_assert_double_eq(r.at[1], 1);
    ck_assert_double_lt(r.low[0], 0.75);
    ck_assert_double_gt(r.high[0], 0.75);
}
END_TEST

START_TEST(equal_captions_are_right)
{
    float image[3 * 3], text[3 * 3];
    const int own[] = { 0, 1, 2 }, crossed[] = { 1, 0, 2 };
    const int32_t of[] = { 0, 1, 2 };
    const char *const words[] = { "a cat", "a cat", "a dog" };
    int32_t same[3];
    ivl_recall r;
    ck_assert_int_eq(ivl_same_texts(words, 3, same), IVL_OK);
    ck_assert_int_eq(same[0], same[1]);
    ck_assert_int_ne(same[0], same[2]);
    axes(image, own, 3, 3), axes(text, crossed, 3, 3); /* each cat caption finds the other cat */
    ivl_pairs p = { image, text, 3, 3, 3, of, same };
    ck_assert_int_eq(ivl_recall_text_to_image(&p, &r), IVL_OK);
    ck_assert_double_eq(r.at[0], 1);
    ck_assert_int_eq(ivl_recall_image_to_text(&p, &r), IVL_OK);
    ck_assert_double_eq(r.at[0], 1);
    ck_assert_double_eq_tol(r.chance[0], (2 / 3.0 + 2 / 3.0 + 1 / 3.0) / 3, 1e-12);
}
END_TEST

START_TEST(ties_do_not_help)
{
    float image[20] = { 0 }, text[2] = { 1, 0 };
    const int32_t of[] = { 0 }, same[] = { 0 };
    ivl_recall r; /* ten equal pictures: the right one counts last */
    ivl_pairs p = { image, text, 10, 1, 2, of, same };
    ck_assert_int_eq(ivl_recall_text_to_image(&p, &r), IVL_OK);
    ck_assert_double_eq(r.at[0], 0);
    ck_assert_double_eq(r.at[1], 0);
    ck_assert_double_eq(r.at[2], 1);
}
END_TEST

START_TEST(zeroshot_counts)
{
    float image[4 * 2] = { 1, 0, 1, 0, 0, 1, 1, 0 }, classes[2 * 2] = { 1, 0, 0, 1 };
    const int32_t label[] = { 0, 0, 1, 1 };
    ivl_accuracy a;
    ck_assert_int_eq(ivl_zeroshot(image, 4, classes, 2, 2, label, &a), IVL_OK);
    ck_assert_double_eq(a.top1, 0.75);
    ck_assert_double_eq(a.top5, 1);
    ck_assert_double_eq(a.mean_per_class, 0.75);
}
END_TEST

START_TEST(schedules)
{
    ck_assert_double_eq_tol(ivl_learning_rate(1, 0, 10, 110, 0), 0.1, 1e-12);
    ck_assert_double_eq_tol(ivl_learning_rate(1, 0, 10, 110, 9), 1, 1e-12);
    ck_assert_double_eq_tol(ivl_learning_rate(1, 0, 10, 110, 60), 0.5, 1e-12);
    ck_assert_double_lt(ivl_learning_rate(1, 0, 10, 110, 109), 1e-3);
    ck_assert_double_eq_tol(ivl_learning_rate(1, 0.1, 10, 110, 110), 0.1, 1e-12);
    ck_assert_double_eq_tol(ivl_drop_path_rate(0.3, true, 0, 4), 0.3, 1e-12);
    ck_assert_double_eq_tol(ivl_drop_path_rate(0.3, false, 2, 4), 0.2, 1e-12);
    ck_assert_uint_eq(ivl_crc32c("123456789", 9), 0xe3069283u); /* RFC 3720's check value */
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("recall");
    tcase_add_test(t, perfect_and_wrong);
    tcase_add_test(t, equal_captions_are_right);
    tcase_add_test(t, ties_do_not_help);
    tcase_add_test(t, zeroshot_counts);
    tcase_add_test(t, schedules);
    return run_suite("recall", t);
}
