#include "model/gguf.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"

/* --- hyper-parameters ----------------------------------------------------------------------------- */

static ivl_status get(const ivl_gguf *f, const char *key, bool needed, int64_t least, int64_t most, int *v_p)
{
    int64_t v = *v_p;
    IVL_CHECK(!needed || ivl_gguf_has(f, key), IVL_EFORMAT, "%s: metadata '%s' is missing", ivl_gguf_name(f), key);
    IVL_TRY(ivl_gguf_int(f, key, &v));
    IVL_CHECK(v >= least && v <= most, IVL_EFORMAT, "%s: %s = %lld must be from %lld to %lld", ivl_gguf_name(f), key,
              (long long)v, (long long)least, (long long)most);
    *v_p = (int)v;
    return IVL_OK;
}

static ivl_status get_real(const ivl_gguf *f, const char *key, double least, double most, double *v_p)
{
    IVL_TRY(ivl_gguf_real(f, key, v_p));
    char shortest[32];
    snprintf(shortest, sizeof shortest, "%.7g", *v_p); /* 1e-5, not the f32 beside it: as config.json would say */
    *v_p = strtod(shortest, NULL);
    IVL_CHECK(*v_p >= least && *v_p <= most, IVL_EFORMAT, "%s: %s = %g must be from %g to %g", ivl_gguf_name(f), key,
              *v_p, least, most);
    return IVL_OK;
}

static ivl_status read_sizes(const ivl_gguf *f, ivl_text_config *c)
{
    IVL_TRY(get(f, "llama.block_count", true, 1, 1024, &c->layers));
    IVL_TRY(get(f, "llama.context_length", true, 1, 1 << 30, &c->max_positions));
    IVL_TRY(get(f, "llama.embedding_length", true, 1, 65536, &c->width));
    IVL_TRY(get(f, "llama.feed_forward_length", true, 1, 1 << 20, &c->mlp));
    IVL_TRY(get(f, "llama.attention.head_count", true, 1, 65536, &c->heads));
    c->kv_heads = c->heads;
    IVL_TRY(get(f, "llama.attention.head_count_kv", false, 1, 65536, &c->kv_heads));
    IVL_TRY(get_real(f, "llama.rope.freq_base", 1e-3, 1e12, &c->rope_theta));
    IVL_TRY(get_real(f, "llama.attention.layer_norm_rms_epsilon", 0, 1, &c->eps));
    IVL_CHECK(c->width % c->heads == 0 && c->heads % c->kv_heads == 0 && c->width / c->heads % 2 == 0, IVL_EFORMAT,
              "%s: width %d, %d heads and %d key heads do not divide evenly", ivl_gguf_name(f), c->width, c->heads,
              c->kv_heads);
    return IVL_OK;
}

/* The vocabulary is as long as the embedding table; the key says the same or is absent. */
static ivl_status read_vocabulary(const ivl_gguf *f, ivl_text_config *c)
{
    const ivl_gguf_tensor *t = ivl_gguf_find(f, "token_embd.weight");
    IVL_CHECK(t && t->rank == 2 && t->dim[1] == c->width && t->dim[0] <= 1 << 24, IVL_EFORMAT,
              "%s: tensor 'token_embd.weight' is missing or not of width %d", ivl_gguf_name(f), c->width);
    int key = c->vocab = (int)t->dim[0];
    IVL_TRY(get(f, "llama.vocab_size", false, 1, 1 << 24, &key));
    IVL_CHECK(key == c->vocab, IVL_EFORMAT, "%s: llama.vocab_size = %d, but token_embd.weight has %d rows",
              ivl_gguf_name(f), key, c->vocab);
    c->bos = 1 < c->vocab ? 1 : 0, c->eos = 2 < c->vocab ? 2 : 0, c->pad = -1;
    IVL_TRY(get(f, "tokenizer.ggml.bos_token_id", false, 0, c->vocab - 1, &c->bos));
    IVL_TRY(get(f, "tokenizer.ggml.eos_token_id", false, 0, c->vocab - 1, &c->eos));
    return get(f, "tokenizer.ggml.padding_token_id", false, -1, c->vocab - 1, &c->pad);
}

/* What changes the result and is not implemented is refused. */
static ivl_status refuse_variants(const ivl_gguf *f, const ivl_text_config *c)
{
    int head = c->width / c->heads, size = head;
    const char *scaling = "none";
    const char *const same[] = { "llama.rope.dimension_count", "llama.attention.key_length",
                                 "llama.attention.value_length" };
    for (int i = 0; i < 3; i++) {
        IVL_TRY(get(f, same[i], false, 1, INT_MAX, &size));
        IVL_CHECK(size == head, IVL_EUNSUPPORTED, "%s: %s = %d; only heads of width / heads = %d are supported",
                  ivl_gguf_name(f), same[i], size, head);
    }
    IVL_TRY(ivl_gguf_string(f, "llama.rope.scaling.type", &scaling));
    IVL_CHECK(!strcmp(scaling, "none") && !ivl_gguf_find(f, "rope_freqs.weight"), IVL_EUNSUPPORTED,
              "%s: scaled rotary positions (%.20s) are not supported", ivl_gguf_name(f),
              strcmp(scaling, "none") ? scaling : "rope_freqs.weight");
    IVL_CHECK(!ivl_gguf_has(f, "llama.expert_count"), IVL_EUNSUPPORTED, "%s: mixtures of experts are not supported",
              ivl_gguf_name(f));
    return IVL_OK;
}

ivl_status ivl_gguf_text_config(const ivl_gguf *f, ivl_text_config *c_p)
{
    ivl_text_config c = ivl_text_config_default();
    const char *architecture = "none";
    IVL_TRY(ivl_gguf_string(f, "general.architecture", &architecture));
    IVL_CHECK(!strcmp(architecture, "llama"), IVL_EUNSUPPORTED,
              "%s: general.architecture is '%.40s'; only 'llama' is supported", ivl_gguf_name(f), architecture);
    IVL_TRY(read_sizes(f, &c));
    IVL_TRY(read_vocabulary(f, &c));
    IVL_TRY(refuse_variants(f, &c));
    c.tie_embeddings = !ivl_gguf_find(f, "output.weight");
    c.attention_bias = ivl_gguf_find(f, "blk.0.attn_q.bias") != NULL;
    *c_p = c;
    return IVL_OK;
}

void ivl_gguf_put_text_config(ivl_gguf_meta *m, const ivl_text_config *c, ivl_dtype main, const char *name)
{
    static const struct { ivl_dtype t; uint32_t number; } files[] = {
        { IVL_F32, 0 }, { IVL_F16, 1 }, { IVL_Q4_0, 2 }, { IVL_Q4_1, 3 }, { IVL_Q8_0, 7 }, { IVL_BF16, 32 } };
    ivl_gguf_put_string(m, "general.architecture", "llama");
    ivl_gguf_put_string(m, "general.type", "model");
    if (name) ivl_gguf_put_string(m, "general.name", name);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i].t == main) ivl_gguf_put_u32(m, "general.file_type", files[i].number);
    ivl_gguf_put_u32(m, "general.quantization_version", 2);
    ivl_gguf_put_u32(m, "llama.block_count", (uint32_t)c->layers);
    ivl_gguf_put_u32(m, "llama.context_length", (uint32_t)c->max_positions);
    ivl_gguf_put_u32(m, "llama.embedding_length", (uint32_t)c->width);
    ivl_gguf_put_u32(m, "llama.feed_forward_length", (uint32_t)c->mlp);
    ivl_gguf_put_u32(m, "llama.attention.head_count", (uint32_t)c->heads);
    ivl_gguf_put_u32(m, "llama.attention.head_count_kv", (uint32_t)c->kv_heads);
    ivl_gguf_put_f32(m, "llama.rope.freq_base", (float)c->rope_theta);
    ivl_gguf_put_f32(m, "llama.attention.layer_norm_rms_epsilon", (float)c->eps);
    ivl_gguf_put_u32(m, "llama.vocab_size", (uint32_t)c->vocab);
    ivl_gguf_put_u32(m, "llama.rope.dimension_count", (uint32_t)(c->width / c->heads));
}

/* --- names ---------------------------------------------------------------------------------------- */

typedef struct pair { const char *gguf, *hf; } pair;
static const pair top[] = {
    { "token_embd.weight", "model.embed_tokens.weight" },
    { "output_norm.weight", "model.norm.weight" },
    { "output.weight", "lm_head.weight" },
};
static const pair layer[] = { /* behind "blk.N." and "model.layers.N." */
    { "attn_norm.weight", "input_layernorm.weight" },
    { "attn_q.weight", "self_attn.q_proj.weight" }, { "attn_q.bias", "self_attn.q_proj.bias" },
    { "attn_k.weight", "self_attn.k_proj.weight" }, { "attn_k.bias", "self_attn.k_proj.bias" },
    { "attn_v.weight", "self_attn.v_proj.weight" }, { "attn_v.bias", "self_attn.v_proj.bias" },
    { "attn_output.weight", "self_attn.o_proj.weight" }, { "attn_output.bias", "self_attn.o_proj.bias" },
    { "ffn_norm.weight", "post_attention_layernorm.weight" },
    { "ffn_gate.weight", "mlp.gate_proj.weight" },
    { "ffn_up.weight", "mlp.up_proj.weight" },
    { "ffn_down.weight", "mlp.down_proj.weight" },
};
static const char *const block[] = { "blk.", "model.layers." };

static const char *side(const pair *p, int hf) { return hf ? p->hf : p->gguf; }

/* from, to: 0 GGUF, 1 Hugging Face. */
static bool translate(const char *name, int from, char out[IVL_GGUF_NAME])
{
    for (size_t i = 0; i < sizeof top / sizeof *top; i++)
        if (!strcmp(name, side(&top[i], from))) {
            snprintf(out, IVL_GGUF_NAME, "%s", side(&top[i], !from));
            return true;
        }
    size_t head = strlen(block[from]);
    if (strncmp(name, block[from], head)) return false;
    char *end;
    const char *digits = name + head;
    long n = strtol(digits, &end, 10);
    if (end == digits || *digits < '0' || *digits > '9' || (digits[0] == '0' && end > digits + 1) || *end != '.' ||
        n > 9999)
        return false;
    for (size_t i = 0; i < sizeof layer / sizeof *layer; i++)
        if (!strcmp(end + 1, side(&layer[i], from))) {
            snprintf(out, IVL_GGUF_NAME, "%s%ld.%s", block[!from], n, side(&layer[i], !from));
            return true;
        }
    return false;
}

bool ivl_gguf_to_hf(const char *gguf, char hf[IVL_GGUF_NAME]) { return translate(gguf, 0, hf); }
bool ivl_gguf_from_hf(const char *hf, char gguf[IVL_GGUF_NAME]) { return translate(hf, 1, gguf); }

/* --- layout --------------------------------------------------------------------------------------- */

int ivl_gguf_rope_heads(const ivl_text_config *c, const char *name)
{
    if (strstr(name, ".attn_q.") || strstr(name, ".q_proj.")) return c->heads;
    if (strstr(name, ".attn_k.") || strstr(name, ".k_proj.")) return c->kv_heads;
    return 0;
}

int64_t ivl_gguf_file_row(int64_t row, int64_t rows, int heads)
{
    int64_t head = heads ? rows / heads : 0, half = head / 2;
    if (!half) return row;
    int64_t i = row % head;
    return row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
}

int64_t ivl_gguf_model_row(int64_t row, int64_t rows, int heads)
{
    int64_t head = heads ? rows / heads : 0, half = head / 2;
    if (!half) return row;
    int64_t i = row % head;
    return row - i + i / 2 + (i % 2 ? half : 0);
}

ivl_status ivl_gguf_read_hf(const ivl_gguf_tensor *t, const ivl_text_config *c, int64_t first, int64_t n, ivl_dtype to,
                            void *dst)
{
    int heads = ivl_gguf_rope_heads(c, t->name);
    if (!heads) return ivl_gguf_read(t, first, n, to, dst);
    int64_t rows = t->dim[0], cols = t->elements / rows;
    IVL_CHECK(rows % (2 * (int64_t)heads) == 0, IVL_EFORMAT,
              "%s: tensor '%.100s' has %lld rows, no even number for %d heads", t->file, t->name, (long long)rows,
              heads);
    for (int64_t at = first, end = first + n, k; at < end; at += k) {
        int64_t row = at / cols, skip = at % cols;
        k = end - at < cols - skip ? end - at : cols - skip;
        IVL_TRY(ivl_gguf_read(t, ivl_gguf_file_row(row, rows, heads) * cols + skip, k, to,
                              (char *)dst + ivl_dtype_bytes(to, at - first)));
    }
    return IVL_OK;
}
