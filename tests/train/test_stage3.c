/* Stage 3: conversations into a chat model. A run that is stopped ends in the same bytes, micro-batches and steps by
 * length change what they should and no more, one batch is learnt by heart and then answered, and what does not belong
 * together is refused in one message. */
#include <unistd.h>

#include "data/chat_rows.h"
#include "model/lora.h"
#include "model/weights.h"
#include "runtime/file.h"
#include "tests/train/toy.h"
#include "train/talk.h"

static char data[160], init[4200], vision[4200], llm[128];

static const char *const asks[] = { "What is this?", "Is it red?" };
static const char *const names[] = { "a cat on the table", "two dogs", "red street", "a small green bus" };

/* Pictures of the toy data, and a text without one. */
static void write_conversations(const char *path)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 4; i++) {
        fprintf(f, "{\"id\":\"%d\",\"image\":\"%d.png\",\"conversations\":[{\"from\":\"human\",\"value\":"
                   "\"<image>\\n%s\"},{\"from\":\"gpt\",\"value\":\"%s\"}", i, i, asks[0], names[i]);
        for (int k = 0; k < i; k++)
            fprintf(f, ",{\"from\":\"human\",\"value\":\"%s\"},{\"from\":\"gpt\",\"value\":\"%s\"}", asks[1],
                    i == 2 ? "yes" : "no");
        fprintf(f, "]}\n");
    }
    fprintf(f, "{\"id\":\"t\",\"conversations\":[{\"from\":\"human\",\"value\":\"one and two\"},"
               "{\"from\":\"gpt\",\"value\":\"three\"}]}\n");
    fclose(f);
}

/* The language model of chat_c by itself. */
static void make_llm(const char *dir)
{
    char from[4200], to[256];
    ck_assert_ptr_nonnull(realpath(source("tests/golden/odd/chat_c/model.safetensors"), from));
    ck_assert_int_eq(ivl_make_dirs(dir), IVL_OK);
    snprintf(to, sizeof to, "%s/model.safetensors", dir);
    ck_assert_int_eq(symlink(from, to), 0);
    snprintf(to, sizeof to, "%s/config.json", dir);
    FILE *f = fopen(to, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "{\"model_type\":\"llama\",\"vocab_size\":420,\"hidden_size\":54,\"intermediate_size\":100,"
               "\"num_hidden_layers\":3,\"num_attention_heads\":3,\"max_position_embeddings\":512,"
               "\"rms_norm_eps\":1e-06,\"attention_bias\":true,\"tie_word_embeddings\":false}");
    fclose(f);
}

static void setup(void)
{
    char here[4096];
    toy_setup();
    write_conversations(toy_path("talks.jsonl"));
    make_llm(toy_path("llm"));
    snprintf(data, sizeof data, "data=%s", toy_path("talks.jsonl"));
    snprintf(llm, sizeof llm, "llm=%s", toy_path("llm"));
    ck_assert_ptr_nonnull(realpath(source("tests/golden/odd/chat_c"), here));
    snprintf(init, sizeof init, "init=%s", here);
    ck_assert_ptr_nonnull(realpath(source("tests/golden/odd"), here));
    snprintf(vision, sizeof vision, "vision=%s", here);
}

#define STAGE3 "stage=3", data, "image_size=0", "text_len=200", "template=vicuna", "system="

static void same_model(const char *a, const char *b)
{
    char path[2][160];
    size_t n[2];
    snprintf(path[0], sizeof path[0], "%s/model/model.safetensors", a);
    snprintf(path[1], sizeof path[1], "%s/model/model.safetensors", b);
    char *x = toy_bytes(path[0], &n[0]), *y = toy_bytes(path[1], &n[1]);
    ck_assert_uint_eq(n[0], n[1]);
    ck_assert_mem_eq(x, y, n[0]);
    free(x), free(y);
}

START_TEST(stopped_and_resumed_is_the_same)
{
    bool done = false;
    toy_watch w = { .stop_at = 2 };
    const char *const more[] = { STAGE3, init, "train=text", "batch=2", "steps=7", NULL };
    toy_must("whole", more, (ivl_train_options){ 0 });
    ck_assert_int_eq(toy_train("parts", more,
                               (ivl_train_options){ .stop = &w.stop, .progress = toy_hear, .ctx = &w }, &done), IVL_OK);
    for (int i = 0; !done && i < 3; i++)
        ck_assert_int_eq(toy_train("parts", more, (ivl_train_options){ .resume = true }, &done), IVL_OK);
    same_model("whole", "parts");
    const char *const again[] = { STAGE3, init, "train=text", "batch=2", "steps=7", "recompute=true", NULL };
    toy_must("recomputed", again, (ivl_train_options){ 0 });
    same_model("whole", "recomputed");
}
END_TEST

/* The gradient of micro-batches is that of the batch, though their answers differ in length. */
START_TEST(micro_batches_add_up)
{
    toy_watch w[2] = { 0 };
    const char *const micro[] = { "micro_batch=0", "micro_batch=1" };
    for (int i = 0; i < 2; i++) {
        const char *const more[] = { STAGE3, init, "train=all", "batch=4", "steps=4", micro[i], NULL };
        toy_must(micro[i], more, (ivl_train_options){ .progress = toy_hear, .ctx = &w[i] });
    }
    ck_assert_double_eq_tol(w[0].last.loss, w[1].last.loss, 2e-4 * w[0].last.loss);
    ck_assert_double_eq_tol(w[0].last.grad_norm, w[1].last.grad_norm, 2e-3 * w[0].last.grad_norm);
    ck_assert_double_eq_tol(w[0].last.hits, w[1].last.hits, 1e-6);
}
END_TEST

static char *answer(const char *model, int picture)
{
    char path[128], *bytes = NULL, *text = NULL;
    size_t n = 0;
    ivl_device *dev = NULL;
    ivl_talk *t = NULL;
    ivl_talk_options o = { .decode = ivl_decode_defaults() };
    snprintf(path, sizeof path, "%s/%d.png", toy_dir, picture);
    ck_assert_int_eq(ivl_read_file(path, 0, &bytes, &n), IVL_OK);
    ck_assert_int_eq(ivl_device_open(toy_device(), &dev), IVL_OK);
    if (ivl_talk_open(toy_path(model), dev, &o, &t) != IVL_OK) ck_abort_msg("%s", ivl_last_error());
    ck_assert_int_eq(ivl_talk_show(t, &(ivl_picture){ bytes, n, path }), IVL_OK);
    char question[64];
    snprintf(question, sizeof question, "<image>\n%s", asks[0]);
    if (ivl_talk_answer(t, &(ivl_turn){ question, NULL }, 1, NULL, NULL, &text) != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
    ivl_talk_close(t);
    ivl_device_close(dev);
    free(bytes);
    return text;
}

/* A tower with queries and a language model become a chat model of form d, which remembers its template. */
START_TEST(answers_what_it_learned)
{
    toy_watch w = { 0 };
    const char *const more[] = { STAGE3, vision, llm, "form=d", "select_layer=-2", "train=text", "batch=5",
                                 "by_length=false", "steps=120",
                                 "checkpoint_every=1000", NULL };
    toy_must("chat", more, (ivl_train_options){ .overfit = true, .progress = toy_hear, .ctx = &w });
    ck_assert_double_lt(w.last.loss, 0.05);
    ck_assert_double_gt(w.last.hits, 0.98);
    for (int i = 0; i < 4; i++) {
        char *text = answer("chat/model", i);
        ck_assert_str_eq(text, names[i]);
        free(text);
    }
}
END_TEST

/* The projectors alone: what is frozen keeps every bit, and goes through the files. */
START_TEST(new_is_the_projectors)
{
    const char *const more[] = { STAGE3, init, "batch=2", "steps=3", NULL };
    toy_must("new", more, (ivl_train_options){ 0 });
    const char *const none[] = { STAGE3, init, "batch=2", "steps=3", "lr_other=0", "weight_decay=0", NULL };
    toy_must("none", none, (ivl_train_options){ 0 });
    size_t n[2], differ = 0;
    char *a = toy_bytes("new/model/model.safetensors", &n[0]), *b = toy_bytes("none/model/model.safetensors", &n[1]);
    ck_assert_uint_eq(n[0], n[1]);
    for (size_t i = 0; i < n[0]; i++) differ += a[i] != b[i];
    ck_assert_uint_gt(differ, 0);
    ck_assert_uint_le(differ, 4 * (72 * 54 + 54 + 54 * 54 + 54)); /* two linears */
    free(a), free(b);
}
END_TEST

/* An adapter of the language model, merged into the model that the run began with, is the run's model. */
START_TEST(adapters_merge)
{
    char from[4200], to[160];
    const char *const more[] = { STAGE3, init, "batch=2", "steps=4", "lora_rank=3", "lora_where=text", NULL };
    toy_must("lora", more, (ivl_train_options){ 0 });
    snprintf(from, sizeof from, "%s", init + 5), snprintf(to, sizeof to, "%s", toy_path("merged"));
    if (ivl_lora_merge_files(from, toy_path("lora/adapter"), to, IVL_F32) != IVL_OK)
        ck_abort_msg("%s", ivl_last_error());
    ivl_weights *a = NULL, *b = NULL;
    ck_assert_int_eq(ivl_weights_open(to, &a), IVL_OK);
    ck_assert_int_eq(ivl_weights_open(toy_path("lora/model"), &b), IVL_OK);
    ck_assert_int_eq(ivl_weights_count(a), ivl_weights_count(b));
    for (int i = 0; i < ivl_weights_count(a); i++) {
        const ivl_weights_tensor *t = ivl_weights_at(a, i), *u = ivl_weights_find(b, t->name);
        ck_assert_ptr_nonnull(u);
        float *x = calloc((size_t)t->elements, 4), *y = calloc((size_t)t->elements, 4);
        ck_assert_int_eq(ivl_weights_read(a, t, 0, t->elements, IVL_F32, x), IVL_OK);
        ck_assert_int_eq(ivl_weights_read(b, u, 0, t->elements, IVL_F32, y), IVL_OK);
        for (int64_t k = 0; k < t->elements; k++) ck_assert_float_eq_tol(x[k], y[k], 1e-6f);
        free(x), free(y);
    }
    ivl_weights_close(a), ivl_weights_close(b);
}
END_TEST

/* Steps by length: every conversation comes once in an epoch, and rows are as long as their step's shape says. */
START_TEST(steps_by_length)
{
    ivl_conversations *talks = NULL;
    ivl_tokenizer *tok = NULL;
    ivl_chat_rows *r = NULL;
    ivl_chat_shape shape[IVL_CHAT_LENGTHS];
    ck_assert_int_eq(ivl_tokenizer_open(source("tests/golden/odd/tokenizer.model"), &tok), IVL_OK);
    ck_assert_int_eq(ivl_conversations_open(toy_path("talks.jsonl"), NULL, &talks), IVL_OK);
    ivl_chat_rows_config cfg = { .talks = talks, .tok = tok, .form = IVL_TEMPLATE_VICUNA, .system = "", .seed = 3,
                                 .batch = 1, .micro = 1, .image_size = 28, .picture_tokens = 4, .text_len = 300,
                                 .by_length = true };
    ck_assert_int_eq(ivl_chat_rows_open(&cfg, &r), IVL_OK);
    ck_assert_int_eq(ivl_chat_rows_count(r), 5);
    int n = ivl_chat_rows_shapes(r, shape);
    ck_assert_int_gt(n, 1);
    ivl_chat_layout l = ivl_chat_rows_layout(r);
    char *slot = calloc(1, l.bytes);
    int64_t tokens = 0, labels = 0;
    for (int64_t step = 0; step < 80; step++) {
        ivl_row_result result = { 0 };
        const ivl_chat_shape *s = &shape[ivl_chat_rows_shape_of(r, step)];
        ck_assert_int_eq(ivl_chat_row_fill(r, step, 0, slot, &result), IVL_OK);
        int32_t len = *(int32_t *)(void *)(slot + l.len), *label = (int32_t *)(void *)(slot + l.labels);
        ck_assert_int_le(len, s->text_len);
        ck_assert_int_ge(len, 8);
        for (int i = 0; i < s->answers; i++) labels += label[i] >= 0;
        tokens += len;
    }
    int64_t once[2] = { 0 };
    ivl_chat_rows_close(r);
    cfg.by_length = false;
    ck_assert_int_eq(ivl_chat_rows_open(&cfg, &r), IVL_OK);
    for (int64_t step = 0; step < 5; step++) {
        ivl_row_result result = { 0 };
        ivl_chat_shape one[IVL_CHAT_LENGTHS];
        ck_assert_int_eq(ivl_chat_rows_shapes(r, one), 1);
        ivl_chat_layout m = ivl_chat_rows_layout(r);
        ck_assert_uint_eq(m.bytes, l.bytes);
        ck_assert_int_eq(ivl_chat_row_fill(r, step, 0, slot, &result), IVL_OK);
        int32_t *label = (int32_t *)(void *)(slot + m.labels);
        for (int i = 0; i < one[0].answers; i++) once[1] += label[i] >= 0;
        once[0] += *(int32_t *)(void *)(slot + m.len);
    }
    ck_assert_int_eq(tokens, 16 * once[0]); /* 80 steps are 16 epochs of 5 */
    ck_assert_int_eq(labels, 16 * once[1]);
    free(slot);
    ivl_chat_rows_close(r);
    ivl_conversations_close(talks);
    ivl_tokenizer_close(tok);
}
END_TEST

static void refused(const char *const *more, const char *word)
{
    bool done = false;
    ck_assert_int_ne(toy_train("x", more, (ivl_train_options){ 0 }, &done), IVL_OK);
    if (!strstr(ivl_last_error(), word)) ck_abort_msg("'%s' lacks '%s'", ivl_last_error(), word);
}

START_TEST(wrong_pairings_are_told)
{
    refused((const char *const[]){ STAGE3, NULL }, "vision");
    refused((const char *const[]){ STAGE3, vision, llm, "select_layer=-9", NULL }, "select_layer");
    refused((const char *const[]){ STAGE3, vision, llm, "text_len=600", NULL }, "512 places");
    refused((const char *const[]){ STAGE3, vision, llm, "text_len=20", NULL }, "raise text_len");
    refused((const char *const[]){ STAGE3, vision, llm, "batch=3", "micro_batch=2", NULL }, "micro_batch");
    toy_must("one", (const char *const[]){ "steps=1", NULL }, (ivl_train_options){ 0 });
    char first[160];
    snprintf(first, sizeof first, "vision=%s", toy_path("one/model"));
    refused((const char *const[]){ STAGE3, first, llm, "form=d", "select_layer=-2", NULL }, "queries");
    unlink(toy_path("1.png"));
    refused((const char *const[]){ STAGE3, init, NULL }, "1.png");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("stage 3");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, setup, toy_teardown);
    tcase_add_test(t, stopped_and_resumed_is_the_same);
    tcase_add_test(t, micro_batches_add_up);
    tcase_add_test(t, answers_what_it_learned);
    tcase_add_test(t, new_is_the_projectors);
    tcase_add_test(t, adapters_merge);
    tcase_add_test(t, steps_by_length);
    tcase_add_test(t, wrong_pairings_are_told);
    return run_suite("stage 3", t);
}
