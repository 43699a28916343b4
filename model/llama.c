#include "model/llama.h"

#include <stdio.h>

ivl_llama ivl_qllama(const ivl_scope *s) { return (ivl_llama){ s, &s->c->text, "qllama." }; }

static ivl_val weight(const ivl_llama *m, int layer, const char *name, const char *what)
{
    return ivl_weight(m->s, "%smodel.layers.%d.%s.%s", m->prefix, layer, name, what);
}

static ivl_val layer_linear(const ivl_llama *m, ivl_val x, int layer, const char *name, bool bias)
{
    return ivl_linear_of(m->s, x, bias, "%smodel.layers.%d.%s", m->prefix, layer, name);
}

static ivl_val layer_norm(const ivl_llama *m, ivl_val x, int layer, const char *name)
{
    return ivl_rms_norm(m->s->g, x, weight(m, layer, name, "weight"), m->c->eps);
}

/* New keys and values into the cache; they become all that it holds where attention reads it. */
static void keep(const ivl_llama *m, const ivl_kv *kv, int i, ivl_val *k, ivl_val *v)
{
    ivl_graph *g = m->s->g;
    ivl_val all_k = ivl_extern(g, &kv->k[i], NULL), all_v = ivl_extern(g, &kv->v[i], NULL);
    ivl_kv_write(g, all_k, *k, kv->at);
    ivl_kv_write(g, all_v, *v, kv->at);
    if (kv->read) *k = all_k, *v = all_v;
}

static ivl_val self_attention(const ivl_llama *m, ivl_val x, const ivl_llama_input *in, int i)
{
    const ivl_text_config *c = m->c;
    ivl_graph *g = m->s->g;
    ivl_val h = layer_norm(m, x, i, "input_layernorm");
    ivl_val q = layer_linear(m, h, i, "self_attn.q_proj", c->attention_bias);
    ivl_val k = layer_linear(m, h, i, "self_attn.k_proj", c->attention_bias);
    ivl_val v = layer_linear(m, h, i, "self_attn.v_proj", c->attention_bias);
    q = ivl_rope(g, q, in->pos, c->heads, c->rope_theta, 0);
    k = ivl_rope(g, k, in->pos, c->kv_heads, c->rope_theta, 0);
    if (in->kv) keep(m, in->kv, i, &k, &v);
    ivl_attention_attr a = { .heads = c->heads, .kv_heads = c->kv_heads, .mask = in->mask, .queries = in->queries };
    ivl_val y = ivl_attention(g, q, k, v, in->len, a);
    return ivl_residual(g, x, layer_linear(m, y, i, "self_attn.o_proj", c->attention_bias), IVL_NONE, IVL_NONE);
}

/* The queries u[B,Q,C] look at the image: no mask, no positions. */
static ivl_val cross_attention(const ivl_llama *m, ivl_val u, ivl_val vision, int i)
{
    ivl_graph *g = m->s->g;
    ivl_val image = layer_norm(m, vision, i, "cross_attn.norm2");
    ivl_val q = layer_linear(m, layer_norm(m, u, i, "cross_attn.norm1"), i, "cross_attn.q_proj", false);
    ivl_val k = layer_linear(m, image, i, "cross_attn.k_proj", false);
    ivl_val v = layer_linear(m, image, i, "cross_attn.v_proj", false);
    ivl_attention_attr a = { .heads = m->c->heads, .kv_heads = m->c->heads, .mask = IVL_MASK_FULL };
    ivl_val y = ivl_attention(g, q, k, v, IVL_NONE, a);
    return ivl_residual(g, u, layer_linear(m, y, i, "cross_attn.o_proj", false), IVL_NONE, IVL_NONE);
}

/* Only the queries among x[B,N,C] look. */
static ivl_val look(const ivl_llama *m, ivl_val x, const ivl_llama_input *in, int i)
{
    ivl_graph *g = m->s->g;
    const ivl_tensor *t = ivl_tensor_of(g, x);
    if (!t) return IVL_NONE;
    int64_t q = in->queries, rest = t->dim[1] - q;
    ivl_val seen = cross_attention(m, ivl_tokens(g, x, 0, q), in->vision, i);
    return rest > 0 ? ivl_join(g, seen, ivl_tokens(g, x, q, rest)) : seen;
}

static ivl_val mlp(const ivl_llama *m, ivl_val x, int i)
{
    ivl_graph *g = m->s->g;
    ivl_val h = layer_norm(m, x, i, "post_attention_layernorm");
    ivl_val gate = layer_linear(m, h, i, "mlp.gate_proj", false), up = layer_linear(m, h, i, "mlp.up_proj", false);
    ivl_val y = ivl_silu_mul(g, gate, up);
    return ivl_residual(g, x, layer_linear(m, y, i, "mlp.down_proj", false), IVL_NONE, IVL_NONE);
}

ivl_val ivl_llama_layers(const ivl_llama *m, ivl_val x, const ivl_llama_input *in, ivl_val *states)
{
    bool looks = in->vision.id >= 0 && in->queries > 0;
    for (int i = 0; i < m->c->layers; i++) {
        if (states) states[i] = x;
        ivl_block_begin(m->s->g);
        x = self_attention(m, x, in, i);
        if (looks && i % m->c->cross_every == 0) x = look(m, x, in, i);
        x = mlp(m, x, i);
        ivl_block_end(m->s->g);
    }
    return x;
}

ivl_val ivl_llama_embed(const ivl_llama *m, ivl_val ids)
{
    return ivl_embed(m->s->g, ivl_weight(m->s, "%smodel.embed_tokens.weight", m->prefix), ids);
}

ivl_val ivl_llama_norm(const ivl_llama *m, ivl_val x)
{
    return ivl_rms_norm(m->s->g, x, ivl_weight(m->s, "%smodel.norm.weight", m->prefix), m->c->eps);
}

ivl_val ivl_llama_logits(const ivl_llama *m, ivl_val x)
{
    const char *name = m->c->tie_embeddings ? "model.embed_tokens" : "lm_head";
    return ivl_linear(m->s->g, x, ivl_weight(m->s, "%s%s.weight", m->prefix, name), IVL_NONE);
}
