#include "model/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOWER "model.vision_tower.vision_tower."

static char *with_prefix(const char *prefix, const char *name)
{
    size_t n = strlen(prefix) + strlen(name) + 1;
    char *s = malloc(n);
    if (s) snprintf(s, n, "%s%s", prefix, name);
    return s;
}

char *ivl_chat_file_name(const ivl_chat_config *c, const char *name)
{
    if (!strncmp(name, "llm.", 4)) return strdup(name + 4);
    if (!strncmp(name, "mm_projector.", 13)) return with_prefix("model.", name);
    if (c->bare_vit && !strncmp(name, "vision_model.", 13)) name += 13;
    return with_prefix(TOWER, name);
}

int64_t ivl_chat_picture_tokens(const ivl_chat_config *c, int64_t size)
{
    int64_t g = size / c->tower.vit.patch;
    return g * g + c->class_token + (c->two_projectors ? c->tower.text.queries : 0);
}

ivl_llama ivl_chat_llm(const ivl_scope *s, const ivl_chat_config *c) { return (ivl_llama){ s, &c->llm, "llm." }; }

static ivl_val part(const ivl_scope *s, const char *name, int i, const char *what)
{
    return ivl_weight(s, "mm_projector.%s%d.%s", name, i, what);
}

static ivl_val project(const ivl_scope *s, const ivl_chat_config *c, const char *name, ivl_val x)
{
    int at = 0;
    if (c->projector_norm) {
        x = ivl_layer_norm(s->g, x, part(s, name, at, "weight"), part(s, name, at, "bias"), 1e-5);
        at++;
    }
    for (int i = 0; i < c->projector_depth; i++, at += 2) {
        if (i) x = ivl_gelu(s->g, x);
        x = ivl_linear(s->g, x, part(s, name, at, "weight"), part(s, name, at, "bias"));
    }
    return x;
}

ivl_val ivl_chat_pictures(const ivl_scope *s, const ivl_chat_config *c, const ivl_vit_input *in)
{
    ivl_val *states = calloc((size_t)c->tower.vit.layers + 1, sizeof *states);
    if (!states) return ivl_graph_failed(s->g, ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"));
    ivl_val last = ivl_vit(s, in, states), x = states[c->select_layer];
    free(states);
    const ivl_tensor *t = ivl_tensor_of(s->g, x);
    if (!c->class_token && t) x = ivl_tokens(s->g, x, 1, t->dim[1] - 1);
    if (!c->two_projectors) return project(s, c, "", x);
    return ivl_join(s->g, project(s, c, "mlp2.", ivl_query_states(s, last)), project(s, c, "mlp1.", x));
}

ivl_val ivl_chat_embed(const ivl_scope *s, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in)
{
    ivl_llama m = ivl_chat_llm(s, c);
    return ivl_place_rows(s->g, ivl_llama_embed(&m, in->ids), pictures, in->index, in->inverse);
}

/* Final-normed states [B,N,C]. */
static ivl_val states(const ivl_llama *m, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in)
{
    ivl_llama_input l = { .len = in->len, .mask = IVL_MASK_CAUSAL, .pos = IVL_NONE, .vision = IVL_NONE };
    return ivl_llama_norm(m, ivl_llama_layers(m, ivl_chat_embed(m->s, c, pictures, in), &l, NULL));
}

ivl_val ivl_chat_loss(const ivl_scope *s, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in,
                      const ivl_chat_answers *a, ivl_val *hits)
{
    ivl_llama m = ivl_chat_llm(s, c);
    ivl_val x = states(&m, c, pictures, in);
    const ivl_tensor *t = ivl_tensor_of(s->g, x), *k = ivl_tensor_of(s->g, a->answer);
    if (!t || !k) return IVL_NONE;
    ivl_val none = ivl_fill_op(s->g, t->dtype, 3, (int64_t[]){ k->dim[0], k->dim[1], t->dim[2] }, 0);
    ivl_val picked = ivl_place_rows(s->g, none, x, a->answer, a->predicts);
    return ivl_softmax_ce(s->g, ivl_llama_logits(&m, picked), a->labels, IVL_NONE, IVL_NONE, hits);
}

ivl_val ivl_chat_logits(const ivl_scope *s, const ivl_chat_config *c, ivl_val pictures, const ivl_chat_input *in)
{
    ivl_llama m = ivl_chat_llm(s, c);
    return ivl_llama_logits(&m, states(&m, c, pictures, in));
}
