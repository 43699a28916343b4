#include "model/decoder.h"
#include "model/internvl.h"

static ivl_val query_tokens(const ivl_scope *s)
{
    return ivl_weight_as(s, 3, (int64_t[]){ 1, s->c->text.queries, s->c->text.width }, "query_tokens");
}

static int64_t batch_of(const ivl_scope *s, ivl_val x)
{
    const ivl_tensor *t = ivl_tensor_of(s->g, x);
    return t ? t->dim[0] : 0;
}

ivl_val ivl_query_states(const ivl_scope *s, ivl_val vision)
{
    ivl_llama m = ivl_qllama(s);
    ivl_llama_input in = { .len = IVL_NONE, .mask = IVL_MASK_FULL, .queries = m.c->queries, .pos = IVL_NONE,
                           .vision = vision };
    ivl_val x = ivl_repeat(s->g, query_tokens(s), batch_of(s, vision));
    return ivl_llama_norm(&m, ivl_llama_layers(&m, x, &in, NULL));
}

ivl_val ivl_encode_image_g(const ivl_scope *s, ivl_val vision)
{
    ivl_val a = ivl_attn_pool(s, "clip_projector", vision);
    ivl_val b = ivl_attn_pool(s, "clip_projector2", ivl_query_states(s, vision));
    return ivl_add(s->g, ivl_l2_norm(s->g, a), ivl_l2_norm(s->g, b));
}

ivl_prompt ivl_caption_prompt(const ivl_scope *s, ivl_val vision, ivl_val ids)
{
    ivl_llama m = ivl_qllama(s);
    ivl_val x = ivl_join(s->g, query_tokens(s), ivl_llama_embed(&m, ids));
    return (ivl_prompt){ x, vision, m.c->queries, IVL_MASK_PREFIX };
}

/* Final-normed states [.,Q+L,C] of queries and texts. */
static ivl_val pairs(const ivl_scope *s, ivl_val vision, ivl_val ids, ivl_val len, ivl_mask mask)
{
    ivl_llama m = ivl_qllama(s);
    ivl_llama_input l = { .len = len, .mask = mask, .queries = m.c->queries, .pos = IVL_NONE, .vision = vision };
    ivl_val x = ivl_join(s->g, query_tokens(s), ivl_llama_embed(&m, ids));
    return ivl_llama_norm(&m, ivl_llama_layers(&m, x, &l, NULL));
}

/* The same of stage 2's batch, under a rule for each third. */
static ivl_val thirds(const ivl_scope *s, const ivl_stage2_input *in, ivl_mask mask)
{
    return pairs(s, in->vision, in->ids, in->len, mask);
}

/* Do picture and text match: the mean over the queries of x [n,2]. */
static ivl_val match(const ivl_scope *s, ivl_val x)
{
    ivl_val queries = ivl_tokens(s->g, x, 0, s->c->text.queries);
    ivl_val y = ivl_linear(s->g, queries, ivl_weight(s, "itm_head.weight"), ivl_weight(s, "itm_head.bias"));
    return ivl_reshape(s->g, ivl_mean(s->g, y), 2, (int64_t[]){ batch_of(s, x), 2 });
}

ivl_val ivl_match_logits(const ivl_scope *s, ivl_val vision, ivl_val ids, ivl_val len)
{
    return match(s, pairs(s, vision, ids, len, IVL_MASK_FULL));
}

/* Unit features of ITC's third. */
static void contrast(const ivl_scope *s, const ivl_stage2_input *in, ivl_val x, ivl_stage2_output *out)
{
    ivl_graph *g = s->g;
    ivl_val text = ivl_matmul(g, ivl_gather_rows(g, x, in->last), ivl_weight(s, "text_projection"), 0, 0);
    out->image = ivl_l2_norm(g, ivl_attn_pool(s, "clip_projector2", ivl_tokens(g, x, 0, s->c->text.queries)));
    out->text = ivl_l2_norm(g, text);
}

static int64_t text_length(const ivl_scope *s, ivl_val ids)
{
    const ivl_tensor *t = ivl_tensor_of(s->g, ids);
    return t ? t->dim[1] : 0;
}

ivl_stage2_output ivl_stage2(const ivl_scope *s, const ivl_stage2_input *in)
{
    ivl_graph *g = s->g;
    ivl_llama m = ivl_qllama(s);
    ivl_stage2_output out;
    ivl_val x = thirds(s, in, IVL_MASK_STAGE2);
    int64_t b = batch_of(s, x) / 3;
    out.itm_logits = match(s, ivl_samples(g, x, 0, b));
    contrast(s, in, ivl_samples(g, x, b, b), &out);
    ivl_val texts = ivl_tokens(g, ivl_samples(g, x, 2 * b, b), m.c->queries, text_length(s, in->ids));
    out.itg_logits = ivl_llama_logits(&m, texts);
    ivl_contrastive_attr a = { .smoothing = s->c->label_smoothing };
    out.itm = ivl_softmax_ce(g, out.itm_logits, in->itm_labels, IVL_NONE, IVL_NONE, &out.itm_hits);
    out.itc = ivl_contrastive(g, out.image, out.text, IVL_NONE, IVL_NONE, ivl_logit_scale(s), in->itc_ignore, a);
    out.itg = ivl_softmax_ce(g, out.itg_logits, in->itg_labels, IVL_NONE, IVL_NONE, &out.itg_hits);
    return out;
}

/* Both directions of unit features, several right ones in a row; target's rows sum to one half. */
static ivl_val soft_contrast(const ivl_scope *s, ivl_val image, ivl_val text, ivl_val target)
{
    ivl_graph *g = s->g;
    ivl_val scale = ivl_logit_scale(s);
    ivl_val a = ivl_softmax_ce(g, ivl_matmul(g, image, text, 0, 1), IVL_NONE, target, scale, NULL);
    ivl_val b = ivl_softmax_ce(g, ivl_matmul(g, text, image, 0, 1), IVL_NONE, target, scale, NULL);
    return ivl_add(g, a, b);
}

ivl_stage2_output ivl_retrieval(const ivl_scope *s, const ivl_stage2_input *in)
{
    ivl_graph *g = s->g;
    ivl_stage2_output out = { .itg_logits = IVL_NONE, .itg = IVL_NONE, .itg_hits = IVL_NONE };
    ivl_val x = thirds(s, in, IVL_MASK_RETRIEVAL);
    int64_t b = batch_of(s, x) / 3;
    out.itm_logits = match(s, ivl_samples(g, x, 0, 2 * b));
    out.itm = ivl_softmax_ce(g, out.itm_logits, in->itm_labels, IVL_NONE, IVL_NONE, &out.itm_hits);
    contrast(s, in, ivl_samples(g, x, 2 * b, b), &out);
    ivl_val backbone = ivl_l2_norm(g, ivl_attn_pool(s, "clip_projector", in->vision));
    out.itc = ivl_add(g, soft_contrast(s, out.image, out.text, in->same_image),
                      soft_contrast(s, backbone, out.text, in->same_image));
    return out;
}
