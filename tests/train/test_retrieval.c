/* Retrieval fine-tuning on the host device: it needs a model of stage 2, learns one batch by heart with both poolings,
 * ends in the same bytes after a stop, leaves alone what does not train, takes rates by layer, and hard negatives. */
#include "model/safetensors.h"
#include "tests/train/toy.h"
#include "train/trainer.h"

#include <math.h>

static const float *rates_of(ivl_trainer *t, int64_t step)
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

START_TEST(needs_a_second_stage)
{
    bool done;
    char text[300];
    ck_assert_int_eq(toy_train("x", (const char *const[]){ "stage=retrieval", NULL }, (ivl_train_options){ 0 }, &done),
                     IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "init is not set: retrieval goes on from a model of stage 2"));
    toy_must("one", (const char *const[]){ "steps=1", NULL }, (ivl_train_options){ 0 });
    snprintf(text, sizeof text, "init=%s", toy_path("one/model"));
    const char *const more[] = { "stage=retrieval", text, NULL };
    ck_assert_int_ne(toy_train("x", more, (ivl_train_options){ 0 }, &done), IVL_OK);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "one/model has no itm_head"));
}
END_TEST

START_TEST(learns_a_batch)
{
    toy_watch w = { 0 };
    const char *const more[] = { "stage=retrieval", toy_stage2(),         "steps=40",         "layer_decay_text=0.9",
                                 "image_size=42",   "lr_image=1e-3", "layer_decay_image=0.9", NULL };
    toy_must("r", more, (ivl_train_options){ .overfit = true, .progress = toy_hear, .ctx = &w });
    ck_assert_double_lt(w.last.itm, 0.1);
    /* two of the four pictures are cats: of either pooling's two losses half of the rows cannot fall below log 2 */
    ck_assert_double_gt(w.last.itc, 0.69);
    ck_assert_double_lt(w.last.itc, 0.75);
    ck_assert_double_gt(w.last.itm_hits, 0.95);
}
END_TEST

START_TEST(stopped_and_resumed_is_the_same)
{
    toy_watch w = { .stop_at = 2 };
    size_t n, m;
    bool done = false;
    const char *const more[] = { "stage=retrieval",     toy_stage2(),          "steps=7", "layer_decay_image=0.7",
                                 "layer_decay_text=0.6", "drop_path=0.3", "flip=true", "negatives=hard", NULL };
    toy_must("whole", more, (ivl_train_options){ 0 });
    ivl_train_options early = { .stop = &w.stop, .progress = toy_hear, .ctx = &w };
    ck_assert_int_eq(toy_train("parts", more, early, &done), IVL_OK);
    ck_assert(!done);
    toy_must("parts", more, (ivl_train_options){ .resume = true });
    char *a = toy_bytes("whole/model/model.safetensors", &n), *b = toy_bytes("parts/model/model.safetensors", &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(a, b, n);
    free(a), free(b);
}
END_TEST

START_TEST(trains_what_it_says)
{
    static const struct { const char *name; bool heads, all; } rows[] = {
        { "text_projection", true, true },
        { "clip_projector.cross_attn.proj.weight", true, true },
        { "clip_projector2.cross_attn.proj.weight", true, true },
        { "itm_head.weight", true, true },
        { "query_tokens", false, true },
        { "vision_model.encoder.layers.0.attn.qkv.weight", false, true },
        { "qllama.model.layers.0.self_attn.q_proj.weight", false, true },
        { "qllama.lm_head.weight", false, false },
    };
    const char *from = toy_stage2();
    toy_must("heads", (const char *const[]){ "stage=retrieval", from, "steps=2", "train=heads", NULL },
             (ivl_train_options){ 0 });
    toy_must("all", (const char *const[]){ "stage=retrieval", from, "steps=2", NULL }, (ivl_train_options){ 0 });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *was = toy_path("two/model/model.safetensors");
        ck_assert_msg(toy_differs(toy_path("heads/model/model.safetensors"), was, rows[i].name) == rows[i].heads, "%s",
                      rows[i].name);
        ck_assert_msg(toy_differs(toy_path("all/model/model.safetensors"), was, rows[i].name) == rows[i].all, "%s",
                      rows[i].name);
    }
}
END_TEST

/* Whose caption it is, by its tokens; -1: nobody's. */
static int picture_of(const ivl_trainer *t, const int32_t *ids)
{
    int32_t want[64], n;
    for (int i = 0; i < TOY_PICTURES; i++)
        for (int again = 0; again < 2; again++) {
            char text[64];
            snprintf(text, sizeof text, "%s%s", toy_words[i], again ? " again" : "");
            ck_assert_int_eq(ivl_text_encode(t->tok, "", text, (int)t->r->text_len, want, &n), IVL_OK);
            if (!memcmp(want, ids, (size_t)t->r->text_len * sizeof *ids)) return i;
        }
    return -1;
}

/* What the loader put into a slot: the negative is another group's, the positive the row's own. */
static void check_rows(const ivl_trainer *t, const char *slot, int rows)
{
    const int64_t *record = (const int64_t *)(const void *)(slot + t->layout.record);
    const int64_t *group = (const int64_t *)(const void *)(slot + t->layout.group);
    const int32_t *ids = (const int32_t *)(const void *)(slot + t->layout.ids);
    for (int i = 0; i < rows; i++, ids += 3 * t->r->text_len) {
        int no = picture_of(t, ids), yes = picture_of(t, ids + t->r->text_len);
        ck_assert_int_eq(yes, record[i]);
        ck_assert_int_ge(no, 0);
        ck_assert_int_ne(no, yes);
        bool cat = strstr(toy_words[yes], "cat") != NULL;
        ck_assert(!cat || !strstr(toy_words[no], "cat"));
        ck_assert(cat ? group[i] < -1 : group[i] == record[i]);
    }
}

/* Rows of one group share the contrast's target, each row's parts sum to one half. */
START_TEST(texts_of_a_group_are_all_right)
{
    ivl_recipe r;
    ivl_device *dev = NULL;
    ivl_train_options o = { .out = toy_path("g") };
    enum { B = 6 };
    toy_recipe(&r, (const char *const[]){ "stage=retrieval", toy_stage2(), "batch=6", "steps=2", NULL });
    ck_assert_int_eq(ivl_device_open(toy_device(), &dev), IVL_OK);
    ivl_trainer t = { .r = &r, .o = &o, .dev = dev };
    if (ivl_trainer_open(&t) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    int slot = -1;
    ck_assert_int_eq(ivl_loader_next(t.loader, &slot), IVL_OK);
    check_rows(&t, t.slot[slot], B);
    const int64_t group[B] = { -7, 3, -7, 4, 3, -7 };
    memcpy((char *)t.slot[slot] + t.layout.group, group, sizeof group);
    ivl_trainer_fill(&t, t.slot[slot], 0, &t.flight[0]);
    const char *rec = t.flight[0].record[0].host;
    const ivl_step_layout *l = ivl_step_layout_of(t.plan[0]);
    const float *same = (const float *)(const void *)(rec + l->same);
    const int32_t *itm = (const int32_t *)(const void *)(rec + l->itm);
    for (int i = 0; i < B; i++) {
        double sum = 0;
        for (int j = 0; j < B; j++) {
            sum += (double)same[i * B + j];
            ck_assert((same[i * B + j] > 0) == (group[i] == group[j]));
        }
        ck_assert_double_eq_tol(sum, 0.5, 1e-6);
        ck_assert_int_eq(itm[i], 0);
        ck_assert_int_eq(itm[B + i], 1);
    }
    ck_assert_int_eq(ivl_metrics_close(t.metrics), IVL_OK);
    ivl_trainer_close(&t);
    ivl_device_close(dev);
    toy_free(&r);
}
END_TEST

/* Negatives come from the table of likeness, best first, none of the picture's own group. */
START_TEST(hard_negatives_are_like_the_picture)
{
    ivl_recipe r;
    ivl_device *dev = NULL;
    ivl_train_options o = { .out = toy_path("h") };
    enum { B = 6, K = 2 };
    toy_recipe(&r, (const char *const[]){ _i ? "stage=2" : "stage=retrieval", toy_stage2(), "batch=6", "steps=2",
                                          "negatives=hard", "neighbours=2", NULL });
    ck_assert_int_eq(ivl_device_open(toy_device(), &dev), IVL_OK);
    ivl_trainer t = { .r = &r, .o = &o, .dev = dev };
    if (ivl_trainer_open(&t) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    for (int i = 0; i < TOY_PICTURES; i++)
        for (int k = 0; k < K; k++) {
            int near = t.neighbours[i * K + k];
            ck_assert(near >= 0 && near < TOY_PICTURES && near != i && (!k || near != t.neighbours[i * K]));
            ck_assert(!strstr(toy_words[i], "cat") || !strstr(toy_words[near], "cat"));
        }
    int slot = -1, negatives = _i ? B - B / 2 : B;
    ck_assert_int_eq(ivl_loader_next(t.loader, &slot), IVL_OK);
    const char *at = t.slot[slot];
    const int64_t *record = (const int64_t *)(const void *)(at + t.layout.record);
    const int32_t *ids = (const int32_t *)(const void *)(at + t.layout.ids);
    for (int i = 0; i < negatives; i++) {
        int no = picture_of(&t, ids + i * 3 * r.text_len);
        ck_assert(no == t.neighbours[record[i] * K] || no == t.neighbours[record[i] * K + 1]);
    }
    ck_assert_int_eq(ivl_metrics_close(t.metrics), IVL_OK);
    ivl_trainer_close(&t);
    ivl_device_close(dev);
    toy_free(&r);
}
END_TEST

/* The table is that of the encoders: the best neighbour of a picture is the right one by the embedder. */
START_TEST(the_table_is_right)
{
    const char *const from = toy_stage2();
    ivl_device *dev = NULL;
    ivl_embedder *e = NULL;
    const char *path[TOY_PICTURES];
    int32_t table[TOY_PICTURES];
    ivl_st *f = NULL;
    toy_must("h", (const char *const[]){ "stage=retrieval", from, "steps=1", "negatives=hard", "neighbours=1", NULL },
             (ivl_train_options){ 0 });
    ck_assert_int_eq(ivl_st_open(toy_path("h/negatives.safetensors"), &f), IVL_OK);
    ck_assert_int_eq(ivl_st_read(ivl_st_find(f, "neighbours"), 0, TOY_PICTURES, IVL_I32, table), IVL_OK);
    ivl_st_close(f);
    ck_assert_int_eq(ivl_device_open(toy_device(), &dev), IVL_OK);
    ck_assert_int_eq(ivl_embedder_open(from + strlen("init="), dev, NULL, &e), IVL_OK);
    int dim = ivl_embedder_dim(e);
    float *x = malloc((size_t)(TOY_PICTURES * 3 * dim) * sizeof *x), *y = x + TOY_PICTURES * dim;
    for (int i = 0; i < TOY_PICTURES; i++) {
        char name[32], again[64];
        snprintf(name, sizeof name, "%d.png", i), snprintf(again, sizeof again, "%s again", toy_words[i]);
        const char *text[] = { toy_words[i], again };
        path[0] = toy_path(name);
        ck_assert_int_eq(ivl_embed_files(e, path, 1, x + i * dim), IVL_OK);
        ck_assert_int_eq(ivl_embed_texts(e, text, 2, y + 2 * i * dim), IVL_OK);
    }
    for (int i = 0; i < TOY_PICTURES; i++) {
        double most = -2, got = -2;
        for (int j = 0; j < 2 * TOY_PICTURES; j++) {
            double s = 0;
            for (int k = 0; k < dim; k++) s += (double)x[i * dim + k] * (double)y[j * dim + k];
            bool alike = i == j / 2 || (strstr(toy_words[i], "cat") && strstr(toy_words[j / 2], "cat"));
            if (!alike && s > most) most = s;
            if (j / 2 == table[i] && s > got) got = s;
        }
        ck_assert_double_ge(got, most - 1e-6);
    }
    free(x);
    ivl_embedder_close(e);
    ivl_device_close(dev);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("retrieval");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, toy_setup, toy_teardown);
    tcase_add_test(t, rates_shrink_downwards);
    tcase_add_test(t, needs_a_second_stage);
    tcase_add_test(t, learns_a_batch);
    tcase_add_test(t, stopped_and_resumed_is_the_same);
    tcase_add_test(t, trains_what_it_says);
    tcase_add_test(t, texts_of_a_group_are_all_right);
    tcase_add_loop_test(t, hard_negatives_are_like_the_picture, 0, 2);
    tcase_add_test(t, the_table_is_right);
    return run_suite("retrieval", t);
}
