/* config.json: defaults, nulls, precedence, refusals, and what is written comes back. */
#include "model/config.h"
#include "tests/suite.h"

#include <string.h>

static ivl_status parse(const char *text, ivl_model_config *c)
{
    return ivl_config_parse(text, strlen(text), "t.json", c);
}

START_TEST(an_empty_object_is_all_defaults)
{
    ivl_model_config c, d = ivl_config_default();
    ck_assert_int_eq(parse("{}", &c), IVL_OK);
    ck_assert(ivl_config_equal(&c, &d));
    ck_assert_int_eq(c.vit.width, 3200);
    ck_assert_int_eq(c.text.vocab, 32000);
    ck_assert_int_eq(c.text.queries, 96);
    ck_assert_int_eq(ivl_config_grid(&c), 16);
}
END_TEST

START_TEST(null_keeps_the_default)
{
    ivl_model_config c, d = ivl_config_default();
    ck_assert_int_eq(
        parse("{\"vision_config\": {\"hidden_size\": null, \"norm_type\": null}, \"qllama_config\": null,"
              "\"force_image_size\": null, \"num_query_token\": null}",
              &c),
        IVL_OK);
    ck_assert(ivl_config_equal(&c, &d));
}
END_TEST

START_TEST(top_level_queries_win)
{
    ivl_model_config c;
    ck_assert_int_eq(
        parse("{\"qllama_config\": {\"num_query_token\": 7, \"cross_attention_frequency\": 5}}", &c), IVL_OK);
    ck_assert_int_eq(c.text.queries, 96);
    ck_assert_int_eq(c.text.cross_every, 2);
    ck_assert_int_eq(parse("{\"num_query_token\": 5, \"cross_attention_frequency\": 3}", &c), IVL_OK);
    ck_assert_int_eq(c.text.queries, 5);
    ck_assert_int_eq(c.text.cross_every, 3);
}
END_TEST

START_TEST(heads_and_biases_of_the_decoder)
{
    static const struct { const char *text; int kv, bias; } row[] = {
        { "{\"qllama_config\": {\"num_attention_heads\": 16}}", 16, 0 },
        { "{\"qllama_config\": {\"num_key_value_heads\": 8}}", 8, 0 },
        { "{\"qllama_config\": {\"num_key_value_heads\": 0, \"bias\": true}}", 32, 1 },
        { "{\"qllama_config\": {\"attention_bias\": null, \"bias\": true}}", 32, 0 },
        { "{\"qllama_config\": {\"attention_bias\": false, \"bias\": true}}", 32, 0 },
        { "{\"qllama_config\": {\"model_type\": \"internlm\"}}", 32, 1 },
        { "{\"qllama_config\": {\"model_type\": \"internlm\", \"bias\": null}}", 32, 0 },
    };
    ivl_model_config c;
    ck_assert_int_eq(parse(row[_i].text, &c), IVL_OK);
    ck_assert_int_eq(c.text.kv_heads, row[_i].kv);
    ck_assert_int_eq(c.text.attention_bias, row[_i].bias);
}
END_TEST

START_TEST(forced_size_makes_the_other_stale)
{
    ivl_model_config c;
    ck_assert_int_eq(parse("{\"force_image_size\": 364, \"vision_config\": {\"image_size\": 225}}", &c),
                     IVL_OK);
    ck_assert_int_eq(ivl_config_image_size(&c), 364);
    ck_assert_int_eq(ivl_config_grid(&c), 26);
}
END_TEST

/* Each is refused with a message that holds these words. */
static const struct { const char *text, *words; } refused[] = {
    { "", "t.json: not JSON" },
    { "[1]", "no JSON object" },
    { "{\"a\": 1, \"a\": 2}", "duplicate" },
    { "{\"model_type\": \"clip\"}", "model_type is 'clip'" },
    { "{\"vision_config\": 3}", "vision_config is an integer, not an object" },
    { "{\"vision_config\": {\"hidden_size\": \"3200\"}}",
      "vision_config.hidden_size is a string, not an integer" },
    { "{\"vision_config\": {\"hidden_size\": 3200.0}}", "is a real number, not an integer" },
    { "{\"vision_config\": {\"hidden_size\": 9999999999}}", "hidden_size = 9999999999 is out of range" },
    { "{\"vision_config\": {\"hidden_size\": 0}}", "hidden_size = 0 must be from 1 to 65536" },
    { "{\"vision_config\": {\"num_hidden_layers\": -1}}", "num_hidden_layers = -1 must be" },
    { "{\"vision_config\": {\"num_attention_heads\": 7}}",
      "hidden_size = 3200 is no multiple of vision_config.num_attention_heads = 7" },
    { "{\"vision_config\": {\"norm_type\": \"batch_norm\"}}",
      "norm_type = 'batch_norm' is unknown: use rms_norm or layer_norm" },
    { "{\"vision_config\": {\"hidden_act\": \"relu\"}}", "only 'gelu' is supported" },
    { "{\"vision_config\": {\"qkv_bias\": 1}}", "qkv_bias is an integer, not true or false" },
    { "{\"vision_config\": {\"patch_size\": 15}}",
      "image_size = 224 is no multiple of vision_config.patch_size = 15" },
    { "{\"force_image_size\": 225}", "force_image_size = 225 is no multiple" },
    { "{\"vision_config\": {\"drop_path_rate\": 1.5}}", "drop_path_rate = 1.5 must be" },
    { "{\"qllama_config\": {\"num_attention_heads\": 6}}",
      "qllama_config.hidden_size = 4096 is no multiple" },
    { "{\"qllama_config\": {\"num_key_value_heads\": 5}}", "num_attention_heads = 32 is no multiple" },
    { "{\"qllama_config\": {\"hidden_size\": 96, \"num_attention_heads\": 32}}", "even head size" },
    { "{\"qllama_config\": {\"eos_token_id\": 32000}}", "eos_token_id = 32000 is outside the vocabulary" },
    { "{\"attn_pool_num_heads\": 3}", "no multiple of attn_pool_num_heads = 3" },
    { "{\"label_smoothing\": 1e999}", "not JSON" },
    { "{\"cross_attention_frequency\": 0}", "cross_attention_frequency = 0 must be" },
    { "{\"clip_embed_dim\": \xff}", "not JSON" },
};

START_TEST(is_refused)
{
    ivl_model_config c = { .embed_dim = 5 };
    ivl_status s = parse(refused[_i].text, &c);
    ck_assert_msg(s == IVL_EFORMAT || s == IVL_EUNSUPPORTED, "%s: status %d", refused[_i].text, s);
    ck_assert_msg(strstr(ivl_last_error(), refused[_i].words), "%s: says %s", refused[_i].text,
                  ivl_last_error());
    ck_assert_int_eq(c.embed_dim, 5);
}
END_TEST

START_TEST(written_comes_back)
{
    ivl_model_config c = ivl_config_default(), d;
    c.vit.eps = 1.0 / 3, c.vit.norm = IVL_LAYER_NORM, c.vit.qkv_bias = true, c.text.attention_bias = true;
    c.text.kv_heads = 4, c.force_image_size = _i ? 448 : 0, c.text.queries = 3;
    char *text = NULL;
    ck_assert_int_eq(ivl_config_text(&c, IVL_BF16, &text), IVL_OK);
    ck_assert_int_eq(parse(text, &d), IVL_OK);
    ck_assert(ivl_config_equal(&c, &d));
    ck_assert_ptr_nonnull(strstr(text, "\"torch_dtype\": \"bfloat16\""));
    free(text);
    c = ivl_config_default();
    ck_assert_int_eq(ivl_config_text(&c, IVL_F32, &text), IVL_OK);
    ck_assert_ptr_nonnull(
        strstr(text, "\"layer_norm_eps\": 1e-6") ? text : strstr(text, "\"layer_norm_eps\": 1e-06"));
    free(text);
}
END_TEST

START_TEST(golden_files_load)
{
    ivl_model_config c;
    ck_assert_int_eq(ivl_config_load(source("tests/golden/odd"), &c), IVL_OK);
    ck_assert_int_eq(c.vit.width, 72);
    ck_assert_int_eq(c.text.mlp, 130);
    ck_assert_int_eq(c.text.queries, 5);
    ck_assert(c.label_smoothing == 0.1 && c.vit.drop_path == 0.3);
    ck_assert_int_eq(ivl_config_load(source("tests/golden/odd2_bf16_sharded/config.json"), &c), IVL_OK);
    ck_assert_int_eq(c.vit.norm, IVL_LAYER_NORM);
    ck_assert(c.vit.qkv_bias && !c.vit.qk_norm && c.text.eps == 1e-5);
}
END_TEST

START_TEST(built_in_ones_load)
{
    ivl_model_config c;
    ck_assert_int_eq(ivl_config_load("tiny", &c), IVL_OK);
    ck_assert_int_eq(ivl_config_load("small", &c), IVL_OK);
    ck_assert_int_eq(c.vit.width, 384);
    ck_assert_int_eq(ivl_config_load("internvl_14b", &c), IVL_OK);
    ck_assert_int_eq(c.text.vocab, 49954);
    ck_assert_int_eq(ivl_config_load("nothing", &c), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "nothing: no such model folder"));
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "small, sweep/N, tiny)"));
    ck_assert_int_eq(ivl_config_load("sweep", &c), IVL_EINVAL);
    ck_assert_int_eq(ivl_config_load("sweep/17", &c), IVL_EINVAL);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "1 to 16"));
    ck_assert_int_eq(ivl_config_load("small/1", &c), IVL_EFORMAT);
}
END_TEST

/* Width follows from depth, head size and MLP ratio; no two variants are the same. */
START_TEST(the_sweep_is_the_papers)
{
    unsigned seen = 0;
    for (int i = 1; i <= 16; i++) {
        char name[16];
        ivl_model_config c;
        snprintf(name, sizeof name, "sweep/%d", i);
        ck_assert_int_eq(ivl_config_load(name, &c), IVL_OK);
        int d = c.vit.layers, head = c.vit.width / c.vit.heads, ratio = c.vit.mlp / c.vit.width;
        ck_assert(d % 16 == 0 && d >= 32 && d <= 80 && (head == 64 || head == 128) &&
                  (ratio == 4 || ratio == 8));
        seen |= 1u << ((d / 16 - 2) * 4 + (head == 128) * 2 + (ratio == 8));
        double width = head * floor(sqrt(6e9 / (d * (4 + 2 * ratio))) / head + 0.5);
        ck_assert_int_eq(c.vit.width, (int)width);
    }
    ck_assert_uint_eq(seen, 0xffff);
    ivl_model_config c, b;
    ck_assert_int_eq(ivl_config_load("sweep/3", &c), IVL_OK);
    ck_assert_int_eq(ivl_config_load("internvl_14b", &b), IVL_OK);
    ck_assert(c.vit.width == b.vit.width && c.vit.layers == b.vit.layers && c.vit.heads == b.vit.heads);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("config");
    tcase_add_test(t, an_empty_object_is_all_defaults);
    tcase_add_test(t, null_keeps_the_default);
    tcase_add_test(t, top_level_queries_win);
    tcase_add_loop_test(t, heads_and_biases_of_the_decoder, 0, 7);
    tcase_add_test(t, forced_size_makes_the_other_stale);
    tcase_add_loop_test(t, is_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_loop_test(t, written_comes_back, 0, 2);
    tcase_add_test(t, golden_files_load);
    tcase_add_test(t, built_in_ones_load);
    tcase_add_test(t, the_sweep_is_the_papers);
    return run_suite("config", t);
}
