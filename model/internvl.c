#include "model/internvl.h"

/* One of q, k, v of the pooling: LayerNorm, linear, bias kept apart under its own name. */
static ivl_val pool_input(const ivl_scope *s, const char *prefix, char which, ivl_val x)
{
    ivl_val w = ivl_weight(s, "%s.norm1_%c.weight", prefix, which),
            b = ivl_weight(s, "%s.norm1_%c.bias", prefix, which);
    ivl_val h = ivl_layer_norm(s->g, x, w, b, 1e-5);
    return ivl_linear(s->g, h, ivl_weight(s, "%s.cross_attn.%c.weight", prefix, which),
                      ivl_weight(s, "%s.cross_attn.%c_bias", prefix, which));
}

ivl_val ivl_attn_pool(const ivl_scope *s, const char *prefix, ivl_val x)
{
    ivl_graph *g = s->g;
    ivl_attention_attr a = { .heads = s->c->pool_heads, .kv_heads = s->c->pool_heads, .mask = IVL_MASK_FULL };
    ivl_val q = pool_input(s, prefix, 'q', ivl_mean(g, x));
    ivl_val y = ivl_attention(g, q, pool_input(s, prefix, 'k', x), pool_input(s, prefix, 'v', x), IVL_NONE, a);
    y = ivl_linear(g, y, ivl_weight(s, "%s.cross_attn.proj.weight", prefix),
                   ivl_weight(s, "%s.cross_attn.proj.bias", prefix));
    const ivl_tensor *t = ivl_tensor_of(g, y);
    return t ? ivl_reshape(g, y, 2, (int64_t[]){ t->dim[0], s->c->embed_dim }) : IVL_NONE;
}

ivl_val ivl_encode_image(const ivl_scope *s, const ivl_vit_input *in)
{
    return ivl_attn_pool(s, "clip_projector", ivl_vit(s, in, NULL));
}

ivl_val ivl_encode_text(const ivl_scope *s, ivl_val ids, ivl_val len, ivl_val last)
{
    ivl_llama m = ivl_qllama(s);
    ivl_llama_input in = { .len = len, .mask = IVL_MASK_CAUSAL, .pos = IVL_NONE, .vision = IVL_NONE };
    ivl_val x = ivl_gather_rows(s->g, ivl_llama_layers(&m, ivl_llama_embed(&m, ids), &in, NULL), last);
    return ivl_matmul(s->g, ivl_llama_norm(&m, x), ivl_weight(s, "text_projection"), 0, 0);
}

ivl_val ivl_stage1_loss(const ivl_scope *s, ivl_val image, ivl_val text)
{
    ivl_contrastive_attr a = { .smoothing = s->c->label_smoothing };
    return ivl_contrastive(s->g, image, text, IVL_NONE, IVL_NONE, ivl_logit_scale(s), IVL_NONE, a);
}
