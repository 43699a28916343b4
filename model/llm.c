#include "model/llm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/gguf.h"
#include "model/json.h"
#include "runtime/file.h"

enum { CONFIG_LIMIT = 16 << 20 };

/* --- config.json ---------------------------------------------------------------------------------- */

/* Settings that change the result and are not implemented. */
static ivl_status refuse_variants(const json_t *root, const char *name, const ivl_text_config *c)
{
    ivl_json_at at = { name, "", root };
    const char *type = "llama";
    int head = c->width / c->heads;
    IVL_TRY(ivl_json_string(at, "model_type", &type));
    IVL_CHECK(!strcmp(type, "llama") || !strcmp(type, "internlm"), IVL_EUNSUPPORTED,
              "%s: model_type is '%.40s'; this takes language models of type llama or internlm", name, type);
    IVL_TRY(ivl_json_int(at, "head_dim", &head));
    IVL_CHECK(head == c->width / c->heads, IVL_EUNSUPPORTED,
              "%s: head_dim = %d; only hidden_size / num_attention_heads = %d", name, head, c->width / c->heads);
    const json_t *scaling = json_object_get(root, "rope_scaling");
    IVL_CHECK(!scaling || json_is_null(scaling), IVL_EUNSUPPORTED, "%s: rope_scaling is not supported", name);
    return IVL_OK;
}

static ivl_status load_json(const char *path, ivl_text_config *c_p)
{
    ivl_text_config c;
    json_t *root = NULL;
    IVL_TRY(ivl_json_load(path, CONFIG_LIMIT, &root));
    ivl_status s = ivl_config_text_from_json(root, path, &c);
    if (s == IVL_OK) s = refuse_variants(root, path, &c);
    json_decref(root);
    if (s == IVL_OK) *c_p = c;
    return s;
}

ivl_status ivl_llm_config_load(const char *path, const ivl_weights *w, ivl_text_config *c_p)
{
    if (w && ivl_weights_gguf(w)) return ivl_gguf_text_config(ivl_weights_gguf(w), c_p);
    char *file = ivl_path_join(path, "config.json");
    IVL_CHECK(file, IVL_ENOMEM, "out of memory");
    ivl_status s = load_json(file, c_p);
    free(file);
    return s;
}

static const char *torch_name(ivl_dtype t) { return t == IVL_BF16 ? "bfloat16" : t == IVL_F16 ? "float16" : "float32"; }

json_t *ivl_llm_config_to_json(const ivl_text_config *c, ivl_dtype dtype)
{
    json_t *root =
        json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:f}", "architectures", "LlamaForCausalLM", "model_type",
                  "llama", "vocab_size", c->vocab, "hidden_size", c->width, "intermediate_size", c->mlp,
                  "num_hidden_layers", c->layers, "num_attention_heads", c->heads, "num_key_value_heads", c->kv_heads,
                  "max_position_embeddings", c->max_positions, "rms_norm_eps", c->eps, "rope_theta", c->rope_theta);
    json_t *rest = json_pack("{s:s,s:b,s:b,s:i,s:i,s:s,s:b}", "hidden_act", "silu", "attention_bias", c->attention_bias,
                             "tie_word_embeddings", c->tie_embeddings, "bos_token_id", c->bos, "eos_token_id", c->eos,
                             "torch_dtype", torch_name(dtype), "use_cache", true);
    int bad = !root || !rest || json_object_update(root, rest);
    if (!bad && c->pad >= 0) bad = json_object_set_new(root, "pad_token_id", json_integer(c->pad));
    json_decref(rest);
    if (!bad) return root;
    json_decref(root);
    return NULL;
}

ivl_status ivl_llm_config_save(const ivl_text_config *c, ivl_dtype dtype, const char *path)
{
    return ivl_json_write(ivl_llm_config_to_json(c, dtype), path);
}

/* --- tensors -------------------------------------------------------------------------------------- */

typedef struct rows { ivl_llm_tensor *list; int n; } rows;

static void row(rows *r, int64_t a, int64_t b, const char *fmt, ...)
{
    ivl_llm_tensor *t = &r->list[r->n++];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->name, sizeof t->name, fmt, ap);
    va_end(ap);
    t->rank = b ? 2 : 1, t->dim[0] = a, t->dim[1] = b, t->elements = b ? a * b : a;
}

static void layer(rows *r, const ivl_text_config *c, int i)
{
    int64_t w = c->width, m = c->mlp, kv = (int64_t)c->kv_heads * (w / c->heads);
    const struct { char name; int64_t out; } head[] = { { 'q', w }, { 'k', kv }, { 'v', kv }, { 'o', w } };
    char p[40];
    snprintf(p, sizeof p, "model.layers.%d", i);
    row(r, w, 0, "%s.input_layernorm.weight", p);
    for (int k = 0; k < 4; k++) {
        row(r, head[k].out, w, "%s.self_attn.%c_proj.weight", p, head[k].name);
        if (c->attention_bias) row(r, head[k].out, 0, "%s.self_attn.%c_proj.bias", p, head[k].name);
    }
    row(r, w, 0, "%s.post_attention_layernorm.weight", p);
    row(r, m, w, "%s.mlp.gate_proj.weight", p);
    row(r, m, w, "%s.mlp.up_proj.weight", p);
    row(r, w, m, "%s.mlp.down_proj.weight", p);
}

ivl_status ivl_llm_tensors(const ivl_text_config *c, ivl_llm_tensor **list_p, int *n_p)
{
    rows r = { .list = calloc((size_t)c->layers * 13 + 3, sizeof *r.list) };
    IVL_CHECK(r.list, IVL_ENOMEM, "out of memory");
    row(&r, c->vocab, c->width, "model.embed_tokens.weight");
    for (int i = 0; i < c->layers; i++) layer(&r, c, i);
    row(&r, c->width, 0, "model.norm.weight");
    if (!c->tie_embeddings) row(&r, c->vocab, c->width, "lm_head.weight");
    *list_p = r.list, *n_p = r.n;
    return IVL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ivl_llm_tensor *)a)->name, ((const ivl_llm_tensor *)b)->name);
}

static ivl_status compare_all(const ivl_weights *w, const ivl_llm_tensor *sorted, int n, ivl_load_report *r)
{
    for (int i = 0; i < n; i++) {
        const ivl_llm_tensor *t = &sorted[i];
        const ivl_weights_tensor *q = ivl_weights_find(w, t->name);
        char a[120], b[120], detail[280];
        if (!q) IVL_TRY(ivl_load_note(r, IVL_NOTE_MISSING, t->name, ""));
        else if (q->rank != t->rank || memcmp(q->dim, t->dim, (size_t)t->rank * sizeof *t->dim)) {
            snprintf(detail, sizeof detail, "%s, %s wanted", ivl_shape_text(q->rank, q->dim, a, sizeof a),
                     ivl_shape_text(t->rank, t->dim, b, sizeof b));
            IVL_TRY(ivl_load_note(r, IVL_NOTE_SHAPE, t->name, detail));
        } else r->loaded++;
    }
    for (int i = 0; i < ivl_weights_count(w); i++) {
        ivl_llm_tensor want;
        const char *name = ivl_weights_at(w, i)->name;
        snprintf(want.name, sizeof want.name, "%s", name);
        if (strstr(name, ".rotary_emb.inv_freq") || bsearch(&want, sorted, (size_t)n, sizeof want, by_name)) continue;
        IVL_TRY(ivl_load_note(r, IVL_NOTE_EXTRA, name, ""));
    }
    return IVL_OK;
}

ivl_status ivl_llm_compare(const ivl_weights *w, const ivl_text_config *c, const char *path, ivl_load_report *report_p)
{
    ivl_llm_tensor *list = NULL;
    int n = 0;
    IVL_TRY(ivl_llm_tensors(c, &list, &n));
    qsort(list, (size_t)n, sizeof *list, by_name);
    ivl_status s = compare_all(w, list, n, report_p);
    free(list);
    if (s != IVL_OK) return s;
    if (ivl_load_count(report_p, IVL_NOTE_MISSING))
        return ivl_load_refuse(path, report_p, IVL_NOTE_MISSING, "; is this a whole LLaMA-type model?");
    if (ivl_load_count(report_p, IVL_NOTE_SHAPE))
        return ivl_load_refuse(path, report_p, IVL_NOTE_SHAPE, "; do its sizes belong to it?");
    return IVL_OK;
}
