/* The table of parameters: names and shapes as in public checkpoints (reference facts 1.1 to 1.4; ecosystem
 * 3), initial values after BEiT for the vision side, LLaMA for the decoder, CLIP for the projection and the
 * scale. */
#include "model/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/chat.h"
#include "model/lora.h"
#include "model/params_store.h"
#include "runtime/rng.h"

/* --- rows ----------------------------------------------------------------------------------------- */

/* What the rows of a section share. */
typedef struct table {
    const ivl_params_options *o;
    ivl_params *p;
    int       cap;
    bool      failed;
    unsigned  part, stages;
    ivl_group group;
    int       layer, depth;
    const char *prefix;     /* of a decoder's names */
    ivl_init  init;         /* of matrices */
    double    a, b;
} table;

static ivl_param *grow(table *t)
{
    ivl_params *p = t->p;
    if (p->n == t->cap) {
        int cap = t->cap ? 2 * t->cap : 64;
        ivl_param *q = realloc(p->param, (size_t)cap * sizeof *q);
        if (!q) return NULL;
        p->param = q, t->cap = cap;
    }
    ivl_param *q = &p->param[p->n];
    *q = (ivl_param){ 0 };
    return q;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static bool trains(const table *t, const char *name)
{
    return t->o->trains ? t->o->trains(t->o->ctx, name) : (t->stages & t->o->stage) != 0;
}

/* Takes the dims, ended by 0; NULL: out of memory, which is kept. */
static ivl_param *add_row(table *t, const int64_t *dim, const char *name)
{
    ivl_param *q = grow(t);
    char *copy = q ? strdup(name) : NULL, *file = t->o->chat ? ivl_chat_file_name(t->o->chat, name) : copy;
    if (!copy || !file) {
        if (file != copy) free(file);
        free(copy);
        t->failed = true;
        return NULL;
    }
    q->name = copy, q->file = file, q->elements = 1;
    for (; dim[q->rank]; q->rank++) q->dim[q->rank] = dim[q->rank], q->elements *= dim[q->rank];
    q->part = t->part, q->stages = t->stages, q->group = t->group, q->layer = t->layer, q->depth = t->depth;
    q->decay = q->rank != 1 && !ends_with(name, ".bias");
    q->init_b = t->b;
    t->p->weights += q->elements;
    t->p->n++;
    return q;
}

/* A as PEFT draws it (its uniform numbers have this deviation), B zero. */
static void adapter(table *t, const int64_t *dim, const char *name, char which)
{
    char text[160];
    int64_t rank = t->o->lora.rank, shape[] = { which == 'A' ? rank : dim[0], which == 'A' ? dim[1] : rank, 0 };
    ivl_lora_name(name, which, text, sizeof text);
    ivl_param *q = t->failed ? NULL : add_row(t, shape, text);
    if (!q) return;
    q->part = IVL_PART_LORA;
    q->trainable = t->o->trains || t->o->stage;
    q->init = which == 'A' ? IVL_INIT_NORMAL : IVL_INIT_CONST;
    q->init_a = which == 'A' ? 1 / sqrt(3.0 * (double)dim[1]) : 0;
}

/* A row with the section's settings, dims ended by 0; matrices get the section's init, others a constant. */
static void row(table *t, const int64_t *dim, double constant, const char *fmt, ...)
{
    unsigned parts = t->o->chat ? ~0u : t->o->parts ? t->o->parts : IVL_PARTS_ALL;
    if (t->failed || !(t->part & parts)) return;
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    ivl_param *q = add_row(t, dim, name);
    if (!q) return;
    q->trainable = trains(t, name) && !ivl_lora_freezes(&t->o->lora, name);
    q->init = q->rank > 1 ? t->init : IVL_INIT_CONST;
    q->init_a = q->rank > 1 ? t->a : constant;
    if (ivl_lora_adapts(&t->o->lora, name)) adapter(t, dim, name, 'A'), adapter(t, dim, name, 'B');
}
#define D(...) (const int64_t[]){ __VA_ARGS__, 0 }

/* --- sections ------------------------------------------------------------------------------------- */

static void vit_layer(table *t, const ivl_vit_config *c, int i)
{
    int64_t w = c->width, m = c->mlp;
    char n[64];
    snprintf(n, sizeof n, "vision_model.encoder.layers.%d", i);
    t->layer = i + 1;
    row(t, D(w), 1, "%s.norm1.weight", n);
    if (c->norm == IVL_LAYER_NORM) row(t, D(w), 0, "%s.norm1.bias", n);
    row(t, D(3 * w, w), 0, "%s.attn.qkv.weight", n);
    if (c->qkv_bias) row(t, D(3 * w), 0, "%s.attn.qkv.bias", n);
    if (c->qk_norm) row(t, D(w), 1, "%s.attn.q_norm.weight", n), row(t, D(w), 1, "%s.attn.k_norm.weight", n);
    t->b = 1 / sqrt(2.0 * (i + 1));
    row(t, D(w, w), 0, "%s.attn.proj.weight", n);
    t->b = 1;
    row(t, D(w), 0, "%s.attn.proj.bias", n);
    row(t, D(w), c->layer_scale, "%s.ls1", n);
    row(t, D(w), 1, "%s.norm2.weight", n);
    if (c->norm == IVL_LAYER_NORM) row(t, D(w), 0, "%s.norm2.bias", n);
    row(t, D(m, w), 0, "%s.mlp.fc1.weight", n);
    row(t, D(m), 0, "%s.mlp.fc1.bias", n);
    t->b = 1 / sqrt(2.0 * (i + 1));
    row(t, D(w, m), 0, "%s.mlp.fc2.weight", n);
    t->b = 1;
    row(t, D(w), 0, "%s.mlp.fc2.bias", n);
    row(t, D(w), c->layer_scale, "%s.ls2", n);
}

static void vit(table *t, const ivl_model_config *c)
{
    const ivl_vit_config *v = &c->vit;
    int64_t grid = ivl_config_grid(c);
    t->layer = 0, t->depth = v->layers + 2;
    row(t, D(1, 1, v->width), 0, "vision_model.embeddings.class_embedding");
    row(t, D(1, 1 + grid * grid, v->width), 0, "vision_model.embeddings.position_embedding");
    row(t, D(v->width, v->channels, v->patch, v->patch), 0, "vision_model.embeddings.patch_embedding.weight");
    row(t, D(v->width), 0, "vision_model.embeddings.patch_embedding.bias");
    for (int i = 0; i < v->layers; i++) vit_layer(t, v, i);
    t->layer = t->depth;
}

static void pool(table *t, const char *n, int64_t width, int64_t out)
{
    for (const char *k = "qkv"; *k; k++) {
        row(t, D(width), 1, "%s.norm1_%c.weight", n, *k);
        row(t, D(width), 0, "%s.norm1_%c.bias", n, *k);
        row(t, D(width, width), 0, "%s.cross_attn.%c.weight", n, *k);
        row(t, D(width), 0, "%s.cross_attn.%c_bias", n, *k);
    }
    row(t, D(out, width), 0, "%s.cross_attn.proj.weight", n);
    row(t, D(out), 0, "%s.cross_attn.proj.bias", n);
}

static void text_layer(table *t, const ivl_text_config *c, int i)
{
    int64_t w = c->width, m = c->mlp, kv = (int64_t)c->kv_heads * (w / c->heads);
    const struct { char name; int64_t out; } head[] = { { 'q', w }, { 'k', kv }, { 'v', kv }, { 'o', w } };
    char n[64];
    snprintf(n, sizeof n, "%smodel.layers.%d", t->prefix, i);
    t->layer = i + 1;
    row(t, D(w), 1, "%s.input_layernorm.weight", n);
    for (int k = 0; k < 4; k++) {
        row(t, D(head[k].out, w), 0, "%s.self_attn.%c_proj.weight", n, head[k].name);
        if (c->attention_bias) row(t, D(head[k].out), 0, "%s.self_attn.%c_proj.bias", n, head[k].name);
    }
    row(t, D(w), 1, "%s.post_attention_layernorm.weight", n);
    row(t, D(m, w), 0, "%s.mlp.gate_proj.weight", n);
    row(t, D(m, w), 0, "%s.mlp.up_proj.weight", n);
    row(t, D(w, m), 0, "%s.mlp.down_proj.weight", n);
}

static void decoder(table *t, const ivl_text_config *c)
{
    t->depth = c->layers + 2, t->layer = 0;
    row(t, D(c->vocab, c->width), 0, "%smodel.embed_tokens.weight", t->prefix);
    for (int i = 0; i < c->layers; i++) text_layer(t, c, i);
    t->layer = t->depth;
    row(t, D(c->width), 1, "%smodel.norm.weight", t->prefix);
}

static void lm_head(table *t, const ivl_text_config *c)
{
    if (!c->tie_embeddings) row(t, D(c->vocab, c->width), 0, "%slm_head.weight", t->prefix);
}

static void text(table *t, const ivl_text_config *c, int64_t embed_dim)
{
    decoder(t, c);
    double std = t->a;
    t->a = 1 / sqrt(c->width);
    row(t, D(c->width, embed_dim), 0, "text_projection");
    t->a = std;
}

static void cross_attention(table *t, const ivl_model_config *c, int i)
{
    int64_t w = c->text.width, v = c->vit.width;
    char n[64];
    snprintf(n, sizeof n, "qllama.model.layers.%d.cross_attn", i);
    t->layer = i + 1;
    row(t, D(w), 1, "%s.norm1.weight", n);
    row(t, D(v), 1, "%s.norm2.weight", n);
    row(t, D(w, w), 0, "%s.q_proj.weight", n);
    row(t, D(w, v), 0, "%s.k_proj.weight", n);
    row(t, D(w, v), 0, "%s.v_proj.weight", n);
    row(t, D(w, w), 0, "%s.o_proj.weight", n);
}

/* The public constructor leaves query_tokens at zero; random ones differ from each other from the start. */
static void queries(table *t, const ivl_model_config *c)
{
    t->depth = c->text.layers + 2, t->layer = 0;
    row(t, D(1, c->text.queries, c->text.width), 0, "query_tokens");
    for (int i = 0; i < c->text.layers; i += c->text.cross_every) cross_attention(t, c, i);
    t->layer = t->depth;
}

static void stage2(table *t, const ivl_model_config *c)
{
    queries(t, c);
    pool(t, "clip_projector2", c->text.width, c->embed_dim);
    row(t, D(2, c->text.width), 0, "itm_head.weight");
    row(t, D(2), 0, "itm_head.bias");
}

static void all_rows(table *t, const ivl_model_config *c)
{
    t->part = IVL_PART_C, t->stages = IVL_STAGE_1 | IVL_STAGE_RETRIEVAL, t->prefix = "qllama.";
    t->group = IVL_GROUP_IMAGE, t->init = IVL_INIT_TRUNC, t->a = c->vit.init_std, t->b = 1;
    vit(t, c);
    pool(t, "clip_projector", c->vit.width, c->embed_dim);
    t->group = IVL_GROUP_TEXT, t->init = IVL_INIT_NORMAL, t->a = 0.02;
    text(t, &c->text, c->embed_dim);
    t->group = IVL_GROUP_OTHER, t->layer = 0;
    row(t, D(0), log(1 / 0.07), "logit_scale");
    t->part = IVL_PART_LM, t->group = IVL_GROUP_TEXT, t->stages = 0, t->layer = t->depth;
    lm_head(t, &c->text);
    t->part = IVL_PART_G, t->group = IVL_GROUP_OTHER, t->stages = IVL_STAGE_2 | IVL_STAGE_RETRIEVAL;
    if (c->text.queries) stage2(t, c);
}

/* One projector: linears with GELU between, perhaps behind a LayerNorm. */
static void projector(table *t, const char *name, const ivl_chat_config *c, int64_t width)
{
    int at = 0;
    if (c->projector_norm) {
        row(t, D(width), 1, "mm_projector.%s%d.weight", name, at);
        row(t, D(width), 0, "mm_projector.%s%d.bias", name, at);
        at++;
    }
    for (int i = 0; i < c->projector_depth; i++, at += 2, width = c->llm.width) {
        row(t, D(c->llm.width, width), 0, "mm_projector.%s%d.weight", name, at);
        row(t, D(c->llm.width), 0, "mm_projector.%s%d.bias", name, at);
    }
}

/* What turns pictures into tokens. */
static void tower(table *t, const ivl_chat_config *c)
{
    t->part = IVL_PART_C, t->stages = 0, t->group = IVL_GROUP_IMAGE;
    t->init = IVL_INIT_TRUNC, t->a = c->tower.vit.init_std, t->b = 1, t->prefix = "qllama.";
    vit(t, &c->tower);
    t->init = IVL_INIT_NORMAL, t->a = 0.02;
    if (c->tower.text.queries) decoder(t, &c->tower.text), lm_head(t, &c->tower.text), queries(t, &c->tower);
    t->part = IVL_PART_PROJECTOR, t->stages = IVL_STAGE_3_MLP | IVL_STAGE_3, t->group = IVL_GROUP_OTHER;
    if (c->two_projectors) {
        projector(t, "mlp1.", c, c->tower.vit.width);
        projector(t, "mlp2.", c, c->tower.text.width);
    } else {
        projector(t, "", c, c->tower.vit.width);
    }
}

static void chat_rows(table *t, const ivl_chat_config *c)
{
    if (!c->no_tower) tower(t, c);
    t->init = IVL_INIT_NORMAL, t->a = 0.02;
    t->part = IVL_PART_LLM, t->stages = IVL_STAGE_3, t->group = IVL_GROUP_TEXT, t->prefix = "llm.";
    decoder(t, &c->llm);
    lm_head(t, &c->llm);
}

/* --- the table ------------------------------------------------------------------------------------ */

ivl_status ivl_params_create(const ivl_model_config *c, const ivl_params_options *o, ivl_params **p_p)
{
    IVL_TRY(ivl_config_check(c));
    table t = { .o = o, .p = calloc(1, sizeof *t.p) };
    IVL_CHECK(t.p, IVL_ENOMEM, "out of memory");
    t.p->lora = o->lora;
    if (o->chat) chat_rows(&t, o->chat);
    else all_rows(&t, c);
    ivl_status s =
        t.failed ? ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory") : ivl_params_layout(t.p, o);
    if (s != IVL_OK) {
        ivl_params_destroy(t.p);
        return s;
    }
    *p_p = t.p;
    return IVL_OK;
}

double ivl_param_rate(int layer, int depth, double decay)
{
    return layer >= depth - 1 ? 1 : fmin(1, pow(decay, depth - layer - 1));
}

void ivl_param_init(const ivl_param *q, uint64_t seed, int64_t first, int64_t n, float *dst)
{
    char stream[160];
    snprintf(stream, sizeof stream, "init:%s", q->name);
    ivl_rng r = ivl_rng_make(seed, stream);
    for (int64_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)(first + i);
        double x = q->init_a;
        if (q->init == IVL_INIT_NORMAL) x *= ivl_rng_normal(r, 0, 0, at);
        if (q->init == IVL_INIT_TRUNC) x = ivl_rng_trunc_normal(r, 0, 0, at, q->init_a) * q->init_b;
        dst[i] = (float)x;
    }
}
