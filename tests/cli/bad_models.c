/* Model folders: the golden one, each with one thing wrong. Also parity cases. */
#include "tests/cli/bad_files.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/suite.h"

/* --- a folder of links, of which some are replaced ---------------------------------------------------------------- */

/* The model that a short run made; a golden one has no vocabulary of its size. */
#define BASE "run-good/model"

static void link_to(const char *dir, const char *file, const char *target)
{
    char name[128], real[4096];
    snprintf(name, sizeof name, "%s/%s", dir, file);
    ck_assert_msg(realpath(target, real) != NULL, "%s", target);
    ck_assert_int_eq(symlink(real, at(name)), 0);
}

/* Files of the base but for `except`; returns "dir/except". */
static const char *model_but(const char *dir, const char *except)
{
    static const char *const files[] = { "config.json", "model.safetensors", "tokenizer.model" };
    static char name[128];
    put_folder(dir);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, BASE "/%s", files[i]);
        if (strcmp(files[i], except)) link_to(dir, files[i], at(name));
    }
    snprintf(name, sizeof name, "%s/%s", dir, except);
    return name;
}

static void model_with(const char *dir, const char *file, const char *text) { put_text(model_but(dir, file), text); }

/* The base's config.json with these keys on top. */
static void config_with(const char *dir, const char *patch)
{
    json_t *c = json_load_file(at(BASE "/config.json"), 0, NULL), *p = json_loads(patch, 0, NULL);
    ck_assert_msg(c && p && json_object_update_recursive(c, p) == 0, "%s", patch);
    char *text = json_dumps(c, 0);
    model_with(dir, "config.json", text);
    free(text), json_decref(c), json_decref(p);
}

/* --- safetensors -------------------------------------------------------------------------------------------------- */

static void put_st(const char *name, uint64_t announced, const char *header, const void *data, size_t n)
{
    size_t h = strlen(header);
    char *all = malloc(8 + h + n);
    ck_assert_ptr_nonnull(all);
    for (int i = 0; i < 8; i++) all[i] = (char)((announced ? announced : h) >> 8 * i);
    memcpy(all + 8, header, h);
    if (n) memcpy(all + 8 + h, data, n);
    put(name, all, 8 + h + n);
    free(all);
}

static void weights(const char *dir, uint64_t announced, const char *header, size_t n)
{
    static const char zero[64];
    put_st(model_but(dir, "model.safetensors"), announced, header, zero, n);
}

typedef struct base_st { char *data; size_t n, head; json_t *header; } base_st;

static base_st load_base(void)
{
    base_st g = { .data = get(BASE "/model.safetensors", &g.n) };
    for (int i = 0; i < 8; i++) g.head |= (size_t)(uint8_t)g.data[i] << 8 * i;
    g.header = json_loadb(g.data + 8, g.head, 0, NULL);
    ck_assert_ptr_nonnull(g.header);
    return g;
}

/* The base's weights with another header, `less` bytes of data fewer. */
static void put_base(const char *dir, const base_st *g, size_t less)
{
    char *text = json_dumps(g->header, JSON_COMPACT);
    size_t start = 8 + g->head;
    put_st(model_but(dir, "model.safetensors"), 0, text, g->data + start, g->n - start - less);
    free(text);
}

/* Name of the tensor whose data end at `end`, of those whose data begin at 0 if that is 0; its entry. */
static const char *tensor_at(const base_st *g, json_int_t end, json_t **entry_p)
{
    const char *name;
    json_t *e;
    json_object_foreach(g->header, name, e) {
        json_t *range = json_object_get(e, "data_offsets");
        if (range && json_integer_value(json_array_get(range, end ? 1 : 0)) == end) {
            *entry_p = e;
            return name;
        }
    }
    ck_abort_msg("no tensor ends at %lld", (long long)end);
}

static void make_weights(void)
{
    base_st g = load_base();
    json_t *e = NULL;
    put(model_but("m-cut", "model.safetensors"), g.data, g.n / 2);
    put(model_but("m-cut-header", "model.safetensors"), g.data, 1000);
    tensor_at(&g, 0, &e);
    json_t *shape = json_deep_copy(json_object_get(e, "shape"));
    json_array_insert_new(json_object_get(e, "shape"), 0, json_integer(1));
    put_base("m-shape", &g, 0);
    json_object_set_new(e, "shape", shape), json_object_set_new(e, "dtype", json_string("F16"));
    put_base("m-size", &g, 0);
    json_object_set_new(e, "dtype", json_string("Q4_K"));
    put_base("m-dtype", &g, 0);
    json_object_set_new(e, "dtype", json_string("F32"));
    memset(g.data + 8 + g.head, 0xff, 4);
    put_base("m-nan", &g, 0);
    const char *last = tensor_at(&g, (json_int_t)(g.n - 8 - g.head), &e);
    json_t *range = json_object_get(e, "data_offsets");
    json_int_t bytes = json_integer_value(json_array_get(range, 1)) - json_integer_value(json_array_get(range, 0));
    char *name = strdup(last);
    json_object_del(g.header, name);
    put_base("m-missing", &g, (size_t)bytes);
    free(name), json_decref(g.header), free(g.data);
}

static void make_small_weights(void)
{
    weights("m-huge", UINT64_C(0x7fffffffffffffff), "{}", 0);
    weights("m-json", 0, "{\"a\": nonsense}", 0);
    weights("m-overlap", 0,
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12);
    weights("m-beyond", 0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", 8);
    weights("m-overflow", 0,
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,8]}}", 8);
    weights("m-negative", 0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8);
    weights("m-rest", 0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 16);
    put(model_but("m-empty", "model.safetensors"), "", 0);
    model_but("m-none", "model.safetensors");
    put_text("not-a-folder", "x");
}

/* --- shards ------------------------------------------------------------------------------------------------------- */

#define ONE "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"

static void sharded(const char *dir, const char *index)
{
    char name[128];
    model_but(dir, "model.safetensors");
    snprintf(name, sizeof name, "%s/model.safetensors.index.json", dir);
    put_text(name, index);
    snprintf(name, sizeof name, "%s/one.safetensors", dir);
    put_st(name, 0, ONE, "\0\0\0", 4);
    snprintf(name, sizeof name, "%s/two.safetensors", dir);
    put_st(name, 0, ONE, "\0\0\0", 4);
}

static void make_shards(void)
{
    sharded("s-missing", "{\"weight_map\": {\"a\": \"three.safetensors\"}}");
    sharded("s-outside", "{\"weight_map\": {\"a\": \"../m-nan/model.safetensors\"}}");
    sharded("s-absolute", "{\"weight_map\": {\"a\": \"/etc/passwd\"}}");
    sharded("s-twice", "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
    sharded("s-lacks", "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"one.safetensors\"}}");
    sharded("s-number", "{\"weight_map\": {\"a\": 1}}");
    sharded("s-no-map", "{}");
    sharded("s-json", "{\"weight_map\": ");
}

/* --- everything else ---------------------------------------------------------------------------------------------- */

static void make_configs(void)
{
    model_with("c-json", "config.json", "{\"hidden_size\": ");
    model_with("c-list", "config.json", "[]");
    model_with("c-nothing", "config.json", "{}");
    config_with("c-heads", "{\"vision_config\": {\"num_attention_heads\": 0}}");
    config_with("c-layers", "{\"qllama_config\": {\"num_hidden_layers\": -4}}");
    config_with("c-width", "{\"vision_config\": {\"hidden_size\": 1000000000}}");
    config_with("c-type", "{\"clip_embed_dim\": \"wide\"}");
    config_with("c-object", "{\"vision_config\": 3}");
    config_with("c-divides", "{\"qllama_config\": {\"num_attention_heads\": 5}}");
    config_with("c-patch", "{\"vision_config\": {\"image_size\": 50}}");
    config_with("c-norm", "{\"vision_config\": {\"norm_type\": \"batch_norm\"}}");
    config_with("c-other", "{\"vision_config\": {\"num_hidden_layers\": 4}}");
    model_but("c-none", "config.json");
}

static void make_tokenizers(void)
{
    size_t n;
    char *p = get_golden("odd/tokenizer.model", &n);
    model_but("t-none", "tokenizer.model");
    model_with("t-text", "tokenizer.model", "this is no vocabulary\n");
    put(model_but("t-cut", "tokenizer.model"), p, n / 3);
    put(model_but("t-empty", "tokenizer.model"), "", 0);
    config_with("t-large", "{\"qllama_config\": {\"vocab_size\": 97}}");
    free(p);
}

static void parity_but(const char *dir, const char *except, const void *data, size_t n)
{
    static const char *const files[] = { "config.json", "model.safetensors", "manifest.json", "expected.safetensors",
                                         "tokens.json", "tokenizer.model" };
    char name[128];
    put_folder(dir);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "odd/%s", files[i]);
        if (strcmp(except, files[i])) link_to(dir, files[i], golden(name));
    }
    snprintf(name, sizeof name, "%s/%s", dir, except);
    put(name, data, n);
}

static void make_parity_cases(void)
{
    size_t n;
    char *p = get_golden("odd/expected.safetensors", &n);
    parity_but("p-json", "manifest.json", "{\"tensors\": {", 13);
    parity_but("p-tensors", "manifest.json", "{}", 2);
    parity_but("p-cut", "expected.safetensors", p, n / 2);
    parity_but("p-full", "none", "", 0);
    free(p);
    model_but("good", "none");
}

void bad_models_make(void)
{
    make_weights();
    make_small_weights();
    make_shards();
    make_configs();
    make_tokenizers();
    make_parity_cases();
}
