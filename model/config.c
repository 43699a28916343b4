/* config.json <-> ivl_model_config. One table per part drives reading, writing and range checks. */
#include "model/config.h"

#include "model/json.h"
#include "runtime/file.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum { INT, REAL, BOOL, NORM } kind;
typedef struct field {
    const char *key;
    kind        kind;
    size_t      off;
    double      lo, hi; /* of numbers, both included */
} field;

#define MEMBER(type, member) offsetof(type, member)
static const field vit_fields[] = {
#define F(key, kind, member, lo, hi) { key, kind, MEMBER(ivl_vit_config, member), lo, hi }
    F("hidden_size", INT, width, 1, 65536),
    F("intermediate_size", INT, mlp, 1, 1 << 20),
    F("num_hidden_layers", INT, layers, 1, 1024),
    F("num_attention_heads", INT, heads, 1, 65536),
    F("num_channels", INT, channels, 1, 16),
    F("patch_size", INT, patch, 1, 1024),
    F("image_size", INT, image_size, 1, 16384),
    F("qkv_bias", BOOL, qkv_bias, 0, 0),
    F("qk_normalization", BOOL, qk_norm, 0, 0),
    F("norm_type", NORM, norm, 0, 0),
    F("layer_norm_eps", REAL, eps, 0, 1),
    F("drop_path_rate", REAL, drop_path, 0, 0.999),
    F("initializer_factor", REAL, layer_scale, 0, 1e6),
    F("initializer_range", REAL, init_std, 0, 1e6),
#undef F
};
static const field text_fields[] = {
#define F(key, kind, member, lo, hi) { key, kind, MEMBER(ivl_text_config, member), lo, hi }
    F("vocab_size", INT, vocab, 1, 1 << 24),
    F("hidden_size", INT, width, 1, 65536),
    F("intermediate_size", INT, mlp, 1, 1 << 20),
    F("num_hidden_layers", INT, layers, 1, 1024),
    F("num_attention_heads", INT, heads, 1, 65536),
    F("num_key_value_heads", INT, kv_heads, 0, 65536),
    F("max_position_embeddings", INT, max_positions, 1, 1 << 30),
    F("rms_norm_eps", REAL, eps, 0, 1),
    F("rope_theta", REAL, rope_theta, 1e-3, 1e12),
    F("attention_bias", BOOL, attention_bias, 0, 0),
    F("tie_word_embeddings", BOOL, tie_embeddings, 0, 0),
    F("bos_token_id", INT, bos, 0, 1 << 24),
    F("eos_token_id", INT, eos, 0, 1 << 24),
    F("pad_token_id", INT, pad, -1, 1 << 24),
    F("num_query_token", INT, queries, 0, 65536),
    F("cross_attention_frequency", INT, cross_every, 1, 1024),
#undef F
};
static const field model_fields[] = {
#define F(key, kind, member, lo, hi) { key, kind, MEMBER(ivl_model_config, member), lo, hi }
    F("clip_embed_dim", INT, embed_dim, 1, 65536),
    F("attn_pool_num_heads", INT, pool_heads, 1, 65536),
    F("num_query_token", INT, text.queries, 0, 65536),
    F("label_smoothing", REAL, label_smoothing, 0, 0.999),
    F("cross_attention_frequency", INT, text.cross_every, 1, 1024),
    F("force_image_size", INT, force_image_size, 0, 16384),
#undef F
};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static int    *as_int(const field *f, const void *c) { return (int *)((char *)(uintptr_t)c + f->off); }
static double *as_real(const field *f, const void *c) { return (double *)((char *)(uintptr_t)c + f->off); }
static bool   *as_bool(const field *f, const void *c) { return (bool *)((char *)(uintptr_t)c + f->off); }
static ivl_norm *as_norm(const field *f, const void *c) { return (void *)((uintptr_t)c + f->off); }

static const char *const norm_name[] = { "rms_norm", "layer_norm" };

ivl_text_config ivl_text_config_default(void)
{
    return (ivl_text_config){
        .vocab = 32000, .width = 4096, .mlp = 11008, .layers = 32, .heads = 32, .kv_heads = 32,
        .max_positions = 2048, .eps = 1e-6, .rope_theta = 10000, .bos = 1, .eos = 2, .pad = 0,
        .cross_every = 2
    };
}

ivl_model_config ivl_config_default(void)
{
    ivl_model_config c = {
        .vit = { .width = 3200, .mlp = 12800, .layers = 48, .heads = 25, .channels = 3, .patch = 14,
                 .image_size = 224, .qk_norm = true, .eps = 1e-6, .layer_scale = 0.1, .init_std = 0.02 },
        .text = ivl_text_config_default(), .embed_dim = 768, .pool_heads = 16,
    };
    c.text.queries = 96;
    return c;
}

int ivl_config_image_size(const ivl_model_config *c)
{
    return c->force_image_size ? c->force_image_size : c->vit.image_size;
}

int ivl_config_grid(const ivl_model_config *c) { return ivl_config_image_size(c) / c->vit.patch; }

/* --- checks --------------------------------------------------------------------------------------- */

static ivl_status check_ranges(const field *f, int n, const void *c, const char *name, const char *prefix)
{
    for (; n--; f++) {
        if (f->kind != INT && f->kind != REAL) continue;
        double v = f->kind == INT ? *as_int(f, c) : *as_real(f, c);
        IVL_CHECK(v >= f->lo && v <= f->hi, IVL_EFORMAT, "%s: %s%s = %.15g must be from %.15g to %.15g", name,
                  prefix, f->key, v, f->lo, f->hi);
    }
    return IVL_OK;
}

static ivl_status divides(int heads, int width, const char *heads_key, const char *width_key,
                          const char *name)
{
    IVL_CHECK(width % heads == 0, IVL_EFORMAT, "%s: %s = %d is no multiple of %s = %d", name, width_key,
              width, heads_key, heads);
    return IVL_OK;
}

/* prefix: where the keys are, "qllama_config." or "". */
static ivl_status check_text(const ivl_text_config *t, const char *name, const char *prefix)
{
    IVL_TRY(check_ranges(text_fields, COUNT(text_fields), t, name, prefix));
    IVL_CHECK(t->width % t->heads == 0, IVL_EFORMAT,
              "%s: %shidden_size = %d is no multiple of num_attention_heads = %d", name, prefix, t->width, t->heads);
    IVL_CHECK(t->heads % t->kv_heads == 0, IVL_EFORMAT,
              "%s: %snum_attention_heads = %d is no multiple of num_key_value_heads = %d", name, prefix, t->heads,
              t->kv_heads);
    IVL_CHECK(t->width / t->heads % 2 == 0, IVL_EFORMAT,
              "%s: rotary positions need an even head size: %shidden_size %d / num_attention_heads %d = %d", name,
              prefix, t->width, t->heads, t->width / t->heads);
    const struct { const char *key; int id; } token[] = {
        { "bos", t->bos }, { "eos", t->eos }, { "pad", t->pad }
    };
    for (int i = 0; i < COUNT(token); i++)
        IVL_CHECK(token[i].id < t->vocab, IVL_EFORMAT, "%s: %s%s_token_id = %d is outside the vocabulary of %d", name,
                  prefix, token[i].key, token[i].id, t->vocab);
    return IVL_OK;
}

static ivl_status check(const ivl_model_config *c, const char *name)
{
    IVL_TRY(check_ranges(vit_fields, COUNT(vit_fields), &c->vit, name, "vision_config."));
    IVL_TRY(check_ranges(model_fields, COUNT(model_fields), c, name, ""));
    IVL_TRY(divides(c->vit.heads, c->vit.width, "vision_config.num_attention_heads",
                    "vision_config.hidden_size", name));
    IVL_TRY(check_text(&c->text, name, "qllama_config."));
    IVL_TRY(divides(c->pool_heads, c->vit.width, "attn_pool_num_heads", "vision_config.hidden_size", name));
    IVL_TRY(divides(c->pool_heads, c->text.width, "attn_pool_num_heads", "qllama_config.hidden_size", name));
    const char *key = c->force_image_size ? "force_image_size" : "vision_config.image_size";
    return divides(c->vit.patch, ivl_config_image_size(c), "vision_config.patch_size", key, name);
}

ivl_status ivl_config_check(const ivl_model_config *c) { return check(c, "configuration"); }

/* --- reading -------------------------------------------------------------------------------------- */

static ivl_status read_norm(ivl_json_at at, const field *f, void *c)
{
    const char *word = NULL;
    IVL_TRY(ivl_json_string(at, f->key, &word));
    if (!word) return IVL_OK;
    for (int i = 0; i < COUNT(norm_name); i++)
        if (!strcmp(word, norm_name[i])) {
            *as_norm(f, c) = (ivl_norm)i;
            return IVL_OK;
        }
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                    "%s: %s%s = '%.40s' is unknown: use rms_norm or layer_norm", at.name, at.prefix, f->key,
                    word);
}

static ivl_status read_fields(ivl_json_at at, const field *f, int n, void *c)
{
    for (; n--; f++) switch (f->kind) {
        case INT: IVL_TRY(ivl_json_int(at, f->key, as_int(f, c))); break;
        case REAL: IVL_TRY(ivl_json_real(at, f->key, as_real(f, c))); break;
        case BOOL: IVL_TRY(ivl_json_bool(at, f->key, as_bool(f, c))); break;
        case NORM: IVL_TRY(read_norm(at, f, c)); break;
    }
    return IVL_OK;
}

static ivl_status check_word(ivl_json_at at, const char *key, const char *want)
{
    const char *word = NULL;
    IVL_TRY(ivl_json_string(at, key, &word));
    IVL_CHECK(!word || !strcmp(word, want), IVL_EUNSUPPORTED, "%s: %s%s is '%.40s'; only '%s' is supported",
              at.name, at.prefix, key, word, want);
    return IVL_OK;
}

/* InternLM-7B spells attention_bias `bias`, or says nothing; a null attention_bias means no biases, as in the
 * public classes, where a key that is present hides its older spelling. */
static ivl_status read_bias(ivl_json_at at, ivl_text_config *t)
{
    if (json_object_get(at.object, "attention_bias")) return IVL_OK;
    if (json_object_get(at.object, "bias")) return ivl_json_bool(at, "bias", &t->attention_bias);
    const char *type = "";
    IVL_TRY(ivl_json_string(at, "model_type", &type));
    t->attention_bias = !strcmp(type, "internlm");
    return IVL_OK;
}

static ivl_status read_vit(ivl_json_at at, ivl_vit_config *c)
{
    IVL_TRY(check_word(at, "hidden_act", "gelu"));
    return read_fields(at, vit_fields, COUNT(vit_fields), c);
}

static ivl_status read_text(ivl_json_at at, ivl_text_config *c)
{
    IVL_TRY(check_word(at, "hidden_act", "silu"));
    c->kv_heads = 0;
    IVL_TRY(read_fields(at, text_fields, COUNT(text_fields), c));
    IVL_TRY(read_bias(at, c));
    if (!c->kv_heads) c->kv_heads = c->heads;
    return IVL_OK;
}

ivl_status ivl_config_vit_from_json(const json_t *root, const char *name, ivl_model_config *c_p)
{
    ivl_model_config c = ivl_config_default();
    IVL_TRY(read_vit((ivl_json_at){ name, "", root }, &c.vit));
    c.pool_heads = 1, c.text.queries = 0;
    IVL_TRY(check(&c, name));
    *c_p = c;
    return IVL_OK;
}

ivl_status ivl_config_text_from_json(const json_t *root, const char *name, ivl_text_config *c_p)
{
    ivl_text_config c = ivl_text_config_default();
    IVL_TRY(read_text((ivl_json_at){ name, "", root }, &c));
    c.queries = 0;
    IVL_TRY(check_text(&c, name, ""));
    *c_p = c;
    return IVL_OK;
}

ivl_status ivl_config_from_json(const json_t *root, const char *name, ivl_model_config *c_p)
{
    ivl_model_config c = ivl_config_default();
    ivl_json_at top = { name, "", root }, vit = { name, "vision_config.", NULL },
                text = { name, "qllama_config.", NULL };
    IVL_TRY(check_word(top, "model_type", "internvl"));
    IVL_TRY(ivl_json_object(top, "vision_config", &vit.object));
    IVL_TRY(ivl_json_object(top, "qllama_config", &text.object));
    IVL_TRY(read_vit(vit, &c.vit));
    IVL_TRY(read_text(text, &c.text));
    c.text.queries = 96, c.text.cross_every = 2; /* the top level's win, even when only its defaults speak */
    IVL_TRY(read_fields(top, model_fields, COUNT(model_fields), &c));
    IVL_TRY(check(&c, name));
    *c_p = c;
    return IVL_OK;
}

ivl_status ivl_config_parse(const char *text, size_t n, const char *name, ivl_model_config *c_p)
{
    json_t *root = NULL;
    IVL_TRY(ivl_json_parse(text, n, name, &root));
    ivl_status s = ivl_config_from_json(root, name, c_p);
    json_decref(root);
    return s;
}

/* --- writing -------------------------------------------------------------------------------------- */

static bool same_fields(const field *f, int n, const void *a, const void *b)
{
    for (; n--; f++) switch (f->kind) {
        case INT: if (*as_int(f, a) != *as_int(f, b)) return false; break;
        case REAL: if (*as_real(f, a) != *as_real(f, b)) return false; break;
        case BOOL: if (*as_bool(f, a) != *as_bool(f, b)) return false; break;
        case NORM: if (*as_norm(f, a) != *as_norm(f, b)) return false; break;
    }
    return true;
}

bool ivl_config_equal(const ivl_model_config *a, const ivl_model_config *b)
{
    return same_fields(vit_fields, COUNT(vit_fields), &a->vit, &b->vit) &&
           same_fields(text_fields, COUNT(text_fields), &a->text, &b->text) &&
           same_fields(model_fields, COUNT(model_fields), a, b);
}

static int put_fields(json_t *o, const field *f, int n, const void *c)
{
    int bad = 0;
    for (; n--; f++) {
        json_t *v = NULL;
        switch (f->kind) {
        case INT: v = json_integer(*as_int(f, c)); break;
        case REAL: v = json_real(*as_real(f, c)); break;
        case BOOL: v = json_boolean(*as_bool(f, c)); break;
        case NORM: v = json_string(norm_name[*as_norm(f, c)]); break;
        }
        bad |= json_object_set_new(o, f->key, v);
    }
    return bad;
}

static int put_type(json_t *o, const char *type, const char *architecture)
{
    return json_object_set_new(o, "model_type", json_string(type)) |
           json_object_set_new(o, "architectures", json_pack("[s]", architecture));
}

static const char *torch_name(ivl_dtype t)
{
    return t == IVL_BF16 ? "bfloat16" : t == IVL_F16 ? "float16" : t == IVL_F64 ? "float64" : "float32";
}

json_t *ivl_config_vit_to_json(const ivl_model_config *c)
{
    json_t *vit = json_object();
    ivl_vit_config v = c->vit;
    v.image_size = ivl_config_image_size(c);
    int bad = put_fields(vit, vit_fields, COUNT(vit_fields), &v);
    bad |= json_object_set_new(vit, "hidden_act", json_string("gelu"));
    bad |= put_type(vit, "intern_vit_6b", "InternVisionModel");
    if (!bad) return vit;
    json_decref(vit);
    return NULL;
}

static json_t *to_json(const ivl_model_config *c, ivl_dtype dtype)
{
    json_t *root = json_object(), *vit = json_object(), *text = json_object();
    int bad = put_fields(root, model_fields, COUNT(model_fields), c);
    if (!c->force_image_size) bad |= json_object_set_new(root, "force_image_size", json_null());
    bad |= json_object_set_new(root, "hidden_size", json_integer(c->text.width));
    bad |= json_object_set_new(root, "use_backbone_lora", json_integer(0));
    bad |= json_object_set_new(root, "use_qllama_lora", json_integer(0));
    bad |= json_object_set_new(root, "initializer_range", json_real(c->vit.init_std));
    bad |= put_type(root, "internvl", "InternVLModel");
    bad |= put_fields(vit, vit_fields, COUNT(vit_fields), &c->vit);
    bad |= json_object_set_new(vit, "hidden_act", json_string("gelu"));
    bad |= put_type(vit, "intern_vit_6b", "InternVisionModel");
    bad |= put_fields(text, text_fields, COUNT(text_fields), &c->text);
    bad |= json_object_set_new(text, "hidden_act", json_string("silu"));
    bad |= put_type(text, "llama", "LlamaForCausalLM");
    bad |= json_object_set_new(root, "vision_config", vit);
    bad |= json_object_set_new(root, "qllama_config", text);
    bad |= json_object_set_new(root, "torch_dtype", json_string(torch_name(dtype)));
    if (!bad) return root;
    json_decref(root);
    return NULL;
}

/* Fewest digits that give the same configuration back, so that 1e-06 stays 1e-06. */
static char *dump(const json_t *root, const ivl_model_config *c)
{
    for (size_t digits = 6;; digits += 3) {
        char *text = ivl_json_dump(root, JSON_INDENT(2) | JSON_REAL_PRECISION(digits < 17 ? digits : 17));
        ivl_model_config back = { 0 };
        if (!text || digits >= 17) return text;
        if (ivl_config_parse(text, strlen(text), "config.json", &back) == IVL_OK &&
            ivl_config_equal(&back, c))
            return text;
        free(text);
    }
}

ivl_status ivl_config_text(const ivl_model_config *c, ivl_dtype dtype, char **text_p)
{
    IVL_TRY(ivl_config_check(c));
    json_t *root = to_json(c, dtype);
    char *text = root ? dump(root, c) : NULL;
    json_decref(root);
    IVL_CHECK(text, IVL_ENOMEM, "out of memory");
    *text_p = text;
    return IVL_OK;
}

ivl_status ivl_config_save(const ivl_model_config *c, ivl_dtype dtype, const char *path)
{
    char *text = NULL;
    ivl_out_file out = { 0 };
    IVL_TRY(ivl_config_text(c, dtype, &text));
    ivl_status s = ivl_out_open(path, &out);
    if (s == IVL_OK) {
        fprintf(out.f, "%s\n", text);
        s = ivl_out_commit(&out);
    }
    free(text);
    return s;
}
