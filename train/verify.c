#include "train/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"
#include "runtime/file.h"
#include "train/step.h"
#include "train/parity.h"

enum { MAX_LAYERS = 256 };

static char *numbered(char *text, size_t n, const char *prefix, int i)
{
    snprintf(text, n, "%s.%d", prefix, i);
    return text;
}

/* --- encoders ------------------------------------------------------------------------------------- */

static const ivl_vit_input no_input = { .keep = { -1 }, .resize = { -1 } };

/* ViT states and InternVL-C features of in.pixels; features of in.stage2's; logits. */
static ivl_status image_and_text(ivl_parity *c)
{
    ivl_parity_run r;
    ivl_val states[MAX_LAYERS + 1], text_states[MAX_LAYERS], len, last;
    char name[64];
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_vit_input in = no_input;
    in.pixels = ivl_parity_input(&r, "in.pixels", IVL_F32);
    ivl_val ids = ivl_parity_input(&r, "in.text_ids", IVL_I32);
    ivl_status s = ivl_parity_lengths(&r, "in.text_ids", &len, &last);
    ivl_graph *g = r.s.g;
    ivl_val image = ivl_keep(g, ivl_attn_pool(&r.s, "clip_projector", ivl_vit(&r.s, &in, states)));
    ivl_llama m = ivl_qllama(&r.s);
    ivl_llama_input li = { .len = len, .mask = IVL_MASK_CAUSAL, .pos = IVL_NONE, .vision = IVL_NONE };
    ivl_val hidden = ivl_llama_layers(&m, ivl_llama_embed(&m, ids), &li, text_states);
    hidden = ivl_keep(g, ivl_llama_norm(&m, hidden));
    for (int i = 0; i <= c->config.vit.layers; i++) ivl_keep(g, states[i]);
    for (int i = 0; i < c->config.text.layers; i++) ivl_keep(g, text_states[i]);
    ivl_val text = ivl_keep(g, ivl_encode_text(&r.s, ids, len, last));
    ivl_val cosine = ivl_keep(g, ivl_matmul(g, ivl_l2_norm(g, image), ivl_l2_norm(g, text), 0, 1));
    if (s == IVL_OK) s = ivl_parity_execute(&r);
    for (int i = 0; i <= c->config.vit.layers && s == IVL_OK; i++)
        s = ivl_parity_check(&r, states[i], numbered(name, sizeof name, "vision.hidden", i));
    for (int i = 0; i < c->config.text.layers && s == IVL_OK; i++)
        s = ivl_parity_check(&r, text_states[i], numbered(name, sizeof name, "text.hidden", i));
    if (s == IVL_OK)
        s = ivl_parity_check(&r, hidden, numbered(name, sizeof name, "text.hidden", c->config.text.layers));
    if (s == IVL_OK) s = ivl_parity_check(&r, image, "image.c");
    if (s == IVL_OK) s = ivl_parity_check(&r, text, "text.features");
    if (s == IVL_OK) s = ivl_parity_check_logits(&r, cosine, "logits.c");
    ivl_parity_end(&r);
    return s;
}

/* Another input size: positions resized. */
static ivl_status large(ivl_parity *c)
{
    ivl_parity_run r;
    ivl_vit_input in = no_input;
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_status s = ivl_parity_pixels(&r, &c->config, "in.pixels_large", 0, &in);
    ivl_val positions = ivl_keep(r.s.g, ivl_vit_positions(&r.s, in.resize));
    ivl_val x = ivl_keep(r.s.g, ivl_vit(&r.s, &in, NULL));
    if (s == IVL_OK) s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, positions, "vision.large_positions");
    if (s == IVL_OK) s = ivl_parity_check(&r, x, "vision.large");
    ivl_parity_end(&r);
    return s;
}

static ivl_status masked_and_dropped(ivl_parity *c)
{
    ivl_parity_run r;
    ivl_val drop[2 * MAX_LAYERS];
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_vit_input in = no_input;
    in.pixels = ivl_parity_input(&r, "in.pixels", IVL_F32);
    ivl_status s = ivl_parity_drop(&r, false, drop);
    in.drop = drop;
    ivl_val dropped = ivl_keep(r.s.g, ivl_vit(&r.s, &in, NULL));
    in.drop = NULL;
    in.keep = ivl_parity_input(&r, "in.keep", IVL_I32);
    ivl_val masked = ivl_keep(r.s.g, ivl_vit(&r.s, &in, NULL));
    if (s == IVL_OK) s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, masked, "vision.masked");
    if (s == IVL_OK) s = ivl_parity_check(&r, dropped, "vision.dropped");
    ivl_parity_end(&r);
    return s;
}

/* InternVL-C features of the stage-2 batch: the case has those of its first rows. */
static ivl_status backbone(ivl_parity *c)
{
    ivl_parity_run r;
    if (!ivl_parity_has(c, "in.stage2.pixel_values")) return IVL_OK;
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_vit_input in = no_input;
    in.pixels = ivl_parity_input(&r, "in.stage2.pixel_values", IVL_F32);
    ivl_val x = ivl_keep(r.s.g, ivl_encode_image(&r.s, &in));
    ivl_status s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, x, "stage2.backbone");
    ivl_parity_end(&r);
    return s;
}

/* --- stage 1 -------------------------------------------------------------------------------------- */

/* Loss and gradients; masked: with in.keep, in.drop_keep and the same drop rate in every block. */
static ivl_status stage1(ivl_parity *c, bool masked)
{
    ivl_parity_run r;
    ivl_val drop[2 * MAX_LAYERS], len, last;
    IVL_TRY(ivl_parity_begin(c, c->params, true, &r));
    ivl_vit_input in = no_input;
    in.pixels = ivl_parity_input(&r, "in.pixels", IVL_F32);
    ivl_val ids = ivl_parity_input(&r, "in.text_ids", IVL_I32);
    ivl_status s = ivl_parity_lengths(&r, "in.text_ids", &len, &last);
    if (masked) {
        in.keep = ivl_parity_input(&r, "in.keep", IVL_I32);
        if (s == IVL_OK) s = ivl_parity_drop(&r, true, drop);
        in.drop = drop;
    }
    ivl_val image = ivl_l2_norm(r.s.g, ivl_encode_image(&r.s, &in));
    ivl_val text = ivl_l2_norm(r.s.g, ivl_encode_text(&r.s, ids, len, last));
    ivl_val loss = ivl_keep(r.s.g, ivl_stage1_loss(&r.s, image, text));
    ivl_backward b = { .out = &loss, .n = 1 };
    if (s == IVL_OK) s = ivl_graph_backward(r.s.g, &b);
    if (s == IVL_OK) s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, loss, masked ? "stage1.masked.loss" : "stage1.loss");
    const char *grads = masked ? "stage1.masked.grad." : "stage1.grad.";
    if (s == IVL_OK) s = ivl_parity_check_params(c, c->params, grads, IVL_GRAD);
    ivl_parity_end(&r);
    return s;
}

/* The batch of the training step, as the loader would put it. */
static ivl_status fill_stage1(ivl_parity *c, void *ctx, ivl_step_shape *shape, const ivl_step_layout *l, char *slot)
{
    int rank;
    int64_t px[IVL_MAX_RANK], ids[IVL_MAX_RANK];
    (void)ctx;
    IVL_TRY(ivl_parity_shape(c, "in.pixels", &rank, px));
    IVL_TRY(ivl_parity_shape(c, "in.text_ids", &rank, ids));
    if (shape) {
        *shape = (ivl_step_shape){ .batch = (int)px[0], .micro = (int)px[0], .image_size = (int)px[3],
                                   .text_len = (int)ids[1], .float_pixels = true };
        return IVL_OK;
    }
    IVL_TRY(ivl_parity_copy(c, "in.pixels", 0, IVL_F32, slot + l->pixels));
    IVL_TRY(ivl_parity_copy(c, "in.text_ids", 0, IVL_I32, slot + l->ids));
    int32_t *len = (int32_t *)(void *)(slot + l->len), *last = (int32_t *)(void *)(slot + l->last);
    const int32_t *id = (const int32_t *)(void *)(slot + l->ids);
    for (int64_t b = 0; b < ids[0]; b++) {
        len[b] = 0;
        for (int64_t i = 0; i < ids[1]; i++) len[b] += id[b * ids[1] + i] > 0;
        last[b] = len[b] - 1;
    }
    return IVL_OK;
}


/* --- the rest ------------------------------------------------------------------------------------- */

/* What the case expects and nothing above compared. */
static void unknown(ivl_parity *c)
{
    const char *name;
    json_t *entry;
    json_object_foreach(json_object_get(c->manifest, "tensors"), name, entry) {
        bool counts = ivl_parity_tolerance(c, name) >= 0;
        if (!strncmp(name, "in.", 3) || !counts || json_object_get(c->done, name)) continue;
        ivl_verify_line l = { name, IVL_UNKNOWN, NAN, NAN };
        c->counts[IVL_UNKNOWN]++;
        c->o->line(c->o->ctx, &l);
    }
}

ivl_status ivl_verify(const char *dir, ivl_device *dev, const ivl_verify_options *o, int counts_p[3])
{
    ivl_parity c;
    IVL_TRY(ivl_parity_open(dir, dev, o, &c));
    ivl_status s = c.config.vit.layers <= MAX_LAYERS && c.config.text.layers <= MAX_LAYERS
                       ? IVL_OK
                       : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: more than %d layers", dir, MAX_LAYERS);
    if (s == IVL_OK) s = image_and_text(&c);
    if (s == IVL_OK) s = large(&c);
    if (s == IVL_OK) s = masked_and_dropped(&c);
    if (s == IVL_OK) s = backbone(&c);
    if (s == IVL_OK) s = stage1(&c, false);
    if (s == IVL_OK) s = stage1(&c, true);
    if (s == IVL_OK) s = ivl_verify_adamw(&c, "stage1", fill_stage1, NULL);
    if (s == IVL_OK) s = ivl_verify_stage2(&c);
    if (s == IVL_OK) s = ivl_verify_tokens(&c);
    if (s == IVL_OK) s = ivl_verify_captions(&c);
    if (s == IVL_OK) s = ivl_verify_chat(&c);
    if (s == IVL_OK) s = ivl_verify_heads(&c);
    if (s == IVL_OK) unknown(&c);
    for (int i = 0; s == IVL_OK && i < 3; i++) counts_p[i] = c.counts[i];
    ivl_parity_close(&c);
    return s;
}
