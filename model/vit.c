#include "model/vit.h"

/* RMSNorm or LayerNorm, as the configuration says. */
static ivl_val block_norm(const ivl_scope *s, ivl_val x, int layer, const char *name)
{
    ivl_val w = ivl_weight(s, "vision_model.encoder.layers.%d.%s.weight", layer, name);
    if (s->c->vit.norm == IVL_RMS_NORM) return ivl_rms_norm(s->g, x, w, s->c->vit.eps);
    ivl_val b = ivl_weight(s, "vision_model.encoder.layers.%d.%s.bias", layer, name);
    return ivl_layer_norm(s->g, x, w, b, s->c->vit.eps);
}

static ivl_val block_linear(const ivl_scope *s, ivl_val x, int layer, const char *name, bool bias)
{
    return ivl_linear_of(s, x, bias, "vision_model.encoder.layers.%d.%s", layer, name);
}

/* RMSNorm over the full width of q or k, before the split into heads. */
static ivl_val qk_norm(const ivl_scope *s, ivl_val x, int layer, const char *name)
{
    if (!s->c->vit.qk_norm) return x;
    ivl_val w = ivl_weight(s, "vision_model.encoder.layers.%d.attn.%s.weight", layer, name);
    return ivl_rms_norm(s->g, x, w, s->c->vit.eps);
}

/* x[B,N,C] -> [B,N,C] */
static ivl_val block(const ivl_scope *s, ivl_val x, int i, ivl_val drop_attn, ivl_val drop_mlp)
{
    const ivl_vit_config *c = &s->c->vit;
    ivl_graph *g = s->g;
    ivl_block_begin(g);
    ivl_val qkv = block_linear(s, block_norm(s, x, i, "norm1"), i, "attn.qkv", c->qkv_bias);
    ivl_val q = qk_norm(s, ivl_slice(g, qkv, 0, 3), i, "q_norm");
    ivl_val k = qk_norm(s, ivl_slice(g, qkv, 1, 3), i, "k_norm");
    ivl_attention_attr a = { .heads = c->heads, .kv_heads = c->heads, .mask = IVL_MASK_FULL };
    ivl_val y = ivl_attention(g, q, k, ivl_slice(g, qkv, 2, 3), IVL_NONE, a);
    y = block_linear(s, y, i, "attn.proj", true);
    x = ivl_residual(g, x, y, ivl_weight(s, "vision_model.encoder.layers.%d.ls1", i), drop_attn);
    y = ivl_gelu(g, block_linear(s, block_norm(s, x, i, "norm2"), i, "mlp.fc1", true));
    y = block_linear(s, y, i, "mlp.fc2", true);
    x = ivl_residual(g, x, y, ivl_weight(s, "vision_model.encoder.layers.%d.ls2", i), drop_mlp);
    ivl_block_end(g);
    return x;
}

ivl_val ivl_vit_positions(const ivl_scope *s, ivl_val resize)
{
    int64_t grid = ivl_config_grid(s->c);
    ivl_val pos = ivl_weight_as(s, 2, (int64_t[]){ 1 + grid * grid, s->c->vit.width },
                                "vision_model.embeddings.position_embedding");
    return resize.id < 0 ? pos : ivl_matmul(s->g, resize, pos, 0, 0);
}

/* Patch embedding as a linear over patch rows, then class token and positions: -> [B,1+K,C]. */
static ivl_val embed(const ivl_scope *s, const ivl_vit_input *in)
{
    const ivl_vit_config *c = &s->c->vit;
    ivl_patchify_attr a = { .patch = c->patch, .mean = { 0.485f, 0.456f, 0.406f }, .std = { 0.229f, 0.224f, 0.225f },
                            .dtype = s->dtype };
    int64_t pixels = (int64_t)c->channels * c->patch * c->patch;
    ivl_val w = ivl_weight_as(s, 2, (int64_t[]){ c->width, pixels }, "vision_model.embeddings.patch_embedding.weight");
    ivl_val b = ivl_weight(s, "vision_model.embeddings.patch_embedding.bias");
    ivl_val x = ivl_linear(s->g, ivl_patchify(s->g, in->pixels, in->keep, a), w, b);
    ivl_val cls = ivl_weight_as(s, 1, (int64_t[]){ c->width }, "vision_model.embeddings.class_embedding");
    return ivl_vit_tokens(s->g, x, cls, ivl_vit_positions(s, in->resize), in->keep);
}

ivl_val ivl_vit(const ivl_scope *s, const ivl_vit_input *in, ivl_val *states)
{
    ivl_val x = embed(s, in);
    for (int i = 0; i < s->c->vit.layers; i++) {
        if (states) states[i] = x;
        x = block(s, x, i, in->drop ? in->drop[2 * i] : IVL_NONE, in->drop ? in->drop[2 * i + 1] : IVL_NONE);
    }
    if (states) states[s->c->vit.layers] = x;
    return x;
}
