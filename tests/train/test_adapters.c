/* LoRA in runs of stages 1, 2 and retrieval: only adapters and what the recipe says train, a stop changes no bit, and
 * the adapter merged into the model that the run began with is what it left, to the bit, and computes the same. */
#include "model/lora.h"
#include "tests/train/toy.h"

static const char *const stage_of[] = { "stage=1", "stage=2", "stage=retrieval" };

static const char *init_of(int stage) { return stage == 2 ? toy_stage2() : toy_stage1(); }

static void must_equal(const char *a, const char *b)
{
    size_t n, m;
    char *x = toy_bytes(a, &n), *y = toy_bytes(b, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n);
    free(x), free(y);
}

START_TEST(stopped_and_resumed_is_the_same)
{
    toy_watch w = { .stop_at = 2 };
    bool done = false;
    const char *const more[] = { stage_of[_i], init_of(_i), "steps=6", "lora_rank=3", NULL };
    toy_must("whole", more, (ivl_train_options){ 0 });
    ivl_train_options early = { .stop = &w.stop, .progress = toy_hear, .ctx = &w };
    ck_assert_int_eq(toy_train("parts", more, early, &done), IVL_OK);
    ck_assert(!done);
    toy_must("parts", more, (ivl_train_options){ .resume = true });
    must_equal("whole/model/model.safetensors", "parts/model/model.safetensors");
    must_equal("whole/adapter/adapter_model.safetensors", "parts/adapter/adapter_model.safetensors");
}
END_TEST

START_TEST(merged_is_what_the_run_left)
{
    static const char *const name[] = { "vision_model.encoder.layers.0.attn.qkv.weight",
                                        "qllama.model.layers.0.self_attn.q_proj.weight", "text_projection",
                                        "qllama.model.embed_tokens.weight" };
    static const bool moves[] = { true, true, true, false };
    const char *from = init_of(_i);
    const char *const more[] = { stage_of[_i], from, "steps=5", "lora_rank=3", _i == 1 ? "train=text" : "seed=1",
                                 NULL };
    toy_must("run", more, (ivl_train_options){ 0 });
    if (ivl_lora_merge_files(from + strlen("init="), toy_path("run/adapter"), toy_path("merged"), IVL_F32) != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
    for (int i = 0; i < 4; i++) {
        const char *was = toy_path(_i == 2 ? "two/model/model.safetensors" : "one/model/model.safetensors");
        ck_assert(!toy_differs(toy_path("run/model/model.safetensors"), toy_path("merged/model.safetensors"), name[i]));
        ck_assert_msg(toy_differs(toy_path("run/model/model.safetensors"), was, name[i]) == moves[i], "%s", name[i]);
    }
    must_equal("run/model/config.json", "merged/config.json");
    if (_i) ck_assert(!toy_differs(toy_path("run/model/model.safetensors"), toy_path("merged/model.safetensors"),
                                   "qllama.model.layers.0.cross_attn.q_proj.weight"));
}
END_TEST

/* The loss of a batch after three steps, told by a fourth; and by a run without adapters from the model after three. */
START_TEST(merged_computes_the_same)
{
    toy_watch w = { 0 }, v = { 0 };
    const ivl_train_options a = { .overfit = true, .progress = toy_hear, .ctx = &w },
                            b = { .overfit = true, .progress = toy_hear, .ctx = &v };
    const char *const from = init_of(_i);
#define CONSTANT "warmup=0", "lr_floor=1", "lr_image=3e-4", "lr_text=3e-4", "lr_other=3e-4", \
         "lora_rank=2", "lora_alpha=8", "lora_where=both", "checkpoint_every=100"
    toy_must("three", (const char *const[]){ stage_of[_i], from, "steps=3", CONSTANT, NULL }, a);
    double before = w.last.loss;
    toy_must("four", (const char *const[]){ stage_of[_i], from, "steps=4", CONSTANT, NULL }, a);
    char init[300];
    snprintf(init, sizeof init, "init=%s", toy_path("three/model"));
    toy_must("plain", (const char *const[]){ stage_of[_i], init, "steps=1", NULL }, b);
    ck_assert_double_lt(w.last.loss, before);
    ck_assert_msg(fabs(v.last.loss - w.last.loss) < 1e-5 * w.last.loss, "%.9g, not %.9g", v.last.loss, w.last.loss);
}
END_TEST

START_TEST(learns_a_batch)
{
    toy_watch w = { 0 };
    const char *const more[] = { "stage=1", toy_stage1(), "steps=40", "lora_rank=4", "lr_image=1e-2", "lr_text=1e-2",
                                 "checkpoint_every=100", NULL };
    toy_must("learns", more, (ivl_train_options){ .overfit = true, .progress = toy_hear, .ctx = &w });
    ck_assert_double_lt(w.last.loss, 0.2);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("adapters");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, toy_setup, toy_teardown);
    tcase_add_loop_test(t, stopped_and_resumed_is_the_same, 0, 3);
    tcase_add_loop_test(t, merged_is_what_the_run_left, 0, 3);
    tcase_add_loop_test(t, merged_computes_the_same, 0, 3);
    tcase_add_test(t, learns_a_batch);
    return run_suite("adapters", t);
}
