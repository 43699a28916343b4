#include "model/llama.h"

static ivl_val layer_linear(const ivl_scope *s, ivl_val x, int layer, const char *name, bool bias)
{
    ivl_val w = ivl_weight(s, "qllama.model.layers.%d.%s.weight", layer, name);
    ivl_val b = bias ? ivl_weight(s, "qllama.model.layers.%d.%s.bias", layer, name) : IVL_NONE;
    return ivl_linear(s->g, x, w, b);
}

static ivl_val layer_norm(const ivl_scope *s, ivl_val x, int layer, const char *name)
{
    return ivl_rms_norm(s->g, x, ivl_weight(s, "qllama.model.layers.%d.%s.weight", layer, name), s->c->text.eps);
}

/* x[B,N,C] -> [B,N,C] */
static ivl_val layer(const ivl_scope *s, ivl_val x, ivl_val len, int i)
{
    const ivl_text_config *c = &s->c->text;
    ivl_graph *g = s->g;
    ivl_block_begin(g);
    ivl_val h = layer_norm(s, x, i, "input_layernorm");
    ivl_val q = layer_linear(s, h, i, "self_attn.q_proj", c->attention_bias);
    ivl_val k = layer_linear(s, h, i, "self_attn.k_proj", c->attention_bias);
    ivl_val v = layer_linear(s, h, i, "self_attn.v_proj", c->attention_bias);
    q = ivl_rope(g, q, IVL_NONE, c->heads, c->rope_theta, 0);
    k = ivl_rope(g, k, IVL_NONE, c->kv_heads, c->rope_theta, 0);
    ivl_attention_attr a = { .heads = c->heads, .kv_heads = c->kv_heads, .mask = IVL_MASK_CAUSAL };
    ivl_val y = ivl_attention(g, q, k, v, len, a);
    x = ivl_residual(g, x, layer_linear(s, y, i, "self_attn.o_proj", c->attention_bias), IVL_NONE, IVL_NONE);
    h = layer_norm(s, x, i, "post_attention_layernorm");
    y = ivl_silu_mul(g, layer_linear(s, h, i, "mlp.gate_proj", false), layer_linear(s, h, i, "mlp.up_proj", false));
    x = ivl_residual(g, x, layer_linear(s, y, i, "mlp.down_proj", false), IVL_NONE, IVL_NONE);
    ivl_block_end(g);
    return x;
}

ivl_val ivl_llama(const ivl_scope *s, ivl_val ids, ivl_val len, ivl_val *states)
{
    ivl_val x = ivl_embed(s->g, ivl_weight(s, "qllama.model.embed_tokens.weight"), ids);
    for (int i = 0; i < s->c->text.layers; i++) {
        if (states) states[i] = ivl_keep(s->g, x);
        x = layer(s, x, len, i);
    }
    return x;
}

ivl_val ivl_llama_norm(const ivl_scope *s, ivl_val x)
{
    return ivl_rms_norm(s->g, x, ivl_weight(s, "qllama.model.norm.weight"), s->c->text.eps);
}
