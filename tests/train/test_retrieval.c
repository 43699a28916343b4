/* Retrieval fine-tuning: rates by layer. */
#include "tests/train/toy.h"
#include "train/trainer.h"

#include <math.h>

static const float *rates_of(const ivl_trainer *t, int64_t step)
{
    int slot = -1;
    ck_assert_int_eq(ivl_loader_next(t->loader, &slot), IVL_OK);
    ivl_trainer_fill(t, t->slot[slot], step, &t->flight[0]);
    const ivl_step_layout *l = ivl_step_layout_of(t->plan[0]);
    return (const float *)(const void *)((const char *)t->flight[0].record[0].host + l->hyper);
}

/* Every parameter's row has its group's rate, times the decay once per layer above its own. */
START_TEST(rates_shrink_downwards)
{
    ivl_recipe r;
    ivl_device *dev = NULL;
    ivl_train_options o = { .out = toy_path("a") };
    int seen = 0;
    toy_recipe(&r, (const char *const[]){ "layer_decay_image=0.5", "layer_decay_text=0.25", "warmup=0", "steps=9",
                                          "lr_image=1e-3", "lr_text=1e-2", "lr_other=1e-1", NULL });
    ck_assert_int_eq(ivl_device_open(toy_device(), &dev), IVL_OK);
    ivl_trainer t = { .r = &r, .o = &o, .dev = dev };
    if (ivl_trainer_open(&t) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    const float *hyper = rates_of(&t, 0);
    static const double peak[] = { 1e-3, 1e-2, 1e-1 };
    for (int i = 0; i < t.params->n_ranges; i++) {
        const ivl_range *g = &t.params->range[i];
        for (int k = 0; k < t.params->n; k++) {
            const ivl_param *q = &t.params->param[k];
            if (q->first < g->first || q->first >= g->first + g->elements) continue;
            int above = q->depth - q->layer - 1;
            double want = peak[q->group] * pow(q->group == IVL_GROUP_IMAGE ? 0.5 : 0.25, above < 0 ? 0 : above);
            ck_assert_msg(fabs(hyper[4 * i] - want) < 1e-6 * want, "%s: %g, not %g", q->name, (double)hyper[4 * i],
                          want);
            seen++;
        }
    }
    ck_assert_int_eq(seen, t.params->n);
    ck_assert_int_gt(t.params->n_ranges, 12);
    ck_assert_int_eq(ivl_step_run(t.plan[0], t.stream, t.flight[0].record, t.result, 0), IVL_OK);
    ck_assert_int_eq(ivl_sync(t.stream), IVL_OK);
    ck_assert(isfinite(((float *)t.result.host)[IVL_STEP_NORM]));
    ck_assert_int_eq(ivl_metrics_close(t.metrics), IVL_OK);
    ivl_trainer_close(&t);
    ivl_device_close(dev);
    toy_free(&r);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("retrieval");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, toy_setup, toy_teardown);
    tcase_add_test(t, rates_shrink_downwards);
    return run_suite("retrieval", t);
}
