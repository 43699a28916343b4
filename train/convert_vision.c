#include "train/convert_vision.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "model/safetensors.h"
#include "runtime/file.h"

enum { HEAD = 128 }; /* width of a head in all public models of this kind */

typedef struct vision {
    const char        *in;
    const ivl_weights *w;
    bool               whole;  /* InternVL-C; else the vision encoder alone, whose names are bare */
    ivl_model_config   c;
    ivl_params        *p;
} vision;

static const char *vit(const vision *v, const char *name, char text[128])
{
    snprintf(text, 128, "%s%s", v->whole ? "vision_model." : "", name);
    return text;
}

bool ivl_convert_is_vision(const ivl_weights *w)
{
    return ivl_weights_find(w, "embeddings.class_embedding") ||
           ivl_weights_find(w, "vision_model.embeddings.class_embedding");
}

/* --- sizes, from shapes --------------------------------------------------------------------------- */

static ivl_status need(const vision *v, const char *name, int rank, const ivl_weights_tensor **t_p)
{
    *t_p = ivl_weights_find(v->w, name);
    IVL_CHECK(*t_p && (*t_p)->rank == rank, IVL_EFORMAT, "%s: tensor '%.100s' is missing or not of %d dimensions",
              v->in, name, rank);
    for (int i = 0; i < rank; i++)
        IVL_CHECK((*t_p)->dim[i] >= 1 && (*t_p)->dim[i] <= 1 << 24, IVL_EFORMAT,
                  "%s: tensor '%.100s' has an odd size", v->in, name);
    return IVL_OK;
}

static int count_layers(const vision *v, const char *before, const char *behind)
{
    char name[200];
    for (int n = 0;; n++) {
        snprintf(name, sizeof name, "%s%d.%s", before, n, behind);
        if (!ivl_weights_find(v->w, name)) return n;
    }
}

static ivl_status heads(const vision *v, int width, int *heads_p)
{
    IVL_CHECK(
        width % HEAD == 0, IVL_EINVAL,
        "%s: its width %d is no multiple of %d, so the number of heads is unknown: name a configuration (--config)",
        v->in, width, HEAD);
    *heads_p = width / HEAD;
    return IVL_OK;
}

static bool has(const vision *v, const char *name)
{
    char text[128];
    return ivl_weights_find(v->w, vit(v, name, text)) != NULL;
}

static ivl_status vit_sizes(vision *v)
{
    ivl_vit_config *c = &v->c.vit;
    const ivl_weights_tensor *patch, *pos, *mlp;
    char text[128];
    IVL_TRY(need(v, vit(v, "embeddings.patch_embedding.weight", text), 4, &patch));
    IVL_TRY(need(v, vit(v, "embeddings.position_embedding", text), 3, &pos));
    IVL_TRY(need(v, vit(v, "encoder.layers.0.mlp.fc1.weight", text), 2, &mlp));
    c->width = (int)patch->dim[0], c->channels = (int)patch->dim[1], c->patch = (int)patch->dim[2],
    c->mlp = (int)mlp->dim[0];
    c->layers = count_layers(v, vit(v, "encoder.layers.", text), "norm1.weight");
    int grid = (int)(sqrt((double)(pos->dim[1] - 1)) + 0.5);
    c->image_size = grid * c->patch;
    c->qk_norm = has(v, "encoder.layers.0.attn.q_norm.weight"), c->qkv_bias = has(v, "encoder.layers.0.attn.qkv.bias");
    c->norm = has(v, "encoder.layers.0.norm1.bias") ? IVL_LAYER_NORM : IVL_RMS_NORM;
    return heads(v, c->width, &c->heads);
}

static ivl_status text_sizes(vision *v)
{
    ivl_text_config *c = &v->c.text;
    const ivl_weights_tensor *embed, *mlp, *k, *project;
    IVL_TRY(need(v, "qllama.model.embed_tokens.weight", 2, &embed));
    IVL_TRY(need(v, "qllama.model.layers.0.mlp.gate_proj.weight", 2, &mlp));
    IVL_TRY(need(v, "qllama.model.layers.0.self_attn.k_proj.weight", 2, &k));
    IVL_TRY(need(v, "text_projection", 2, &project));
    c->vocab = (int)embed->dim[0], c->width = (int)embed->dim[1], c->mlp = (int)mlp->dim[0];
    v->c.embed_dim = (int)project->dim[1];
    c->layers = count_layers(v, "qllama.model.layers.", "input_layernorm.weight");
    IVL_TRY(heads(v, c->width, &c->heads));
    return heads(v, (int)k->dim[0], &c->kv_heads);
}

static ivl_status find_config(vision *v, const char *config)
{
    v->c = ivl_config_default();
    if (config) IVL_TRY(ivl_config_load(config, &v->c));
    v->c.text.queries = 0; /* neither file has stage 2's parts */
    if (!v->whole) v->c.pool_heads = 1, v->c.text = ivl_text_config_default();
    if (config) return IVL_OK;
    IVL_TRY(vit_sizes(v));
    return v->whole ? text_sizes(v) : IVL_OK;
}

/* --- tensors -------------------------------------------------------------------------------------- */

/* Name in the file of a parameter of InternVL; NULL: it is of a part that the file lacks. */
static const char *name_in_file(const vision *v, const ivl_param *q)
{
    static const char prefix[] = "vision_model.";
    if (v->whole) return q->name;
    return strncmp(q->name, prefix, strlen(prefix)) ? NULL : q->name + strlen(prefix);
}

static ivl_status compare(const vision *v, ivl_load_report *r)
{
    for (int i = 0; i < v->p->n; i++) {
        const ivl_param *q = &v->p->param[i];
        const char *name = name_in_file(v, q);
        const ivl_weights_tensor *t = name ? ivl_weights_find(v->w, name) : NULL;
        char a[120], b[120], detail[280];
        if (!name) continue;
        if (!t) IVL_TRY(ivl_load_note(r, IVL_NOTE_MISSING, name, ""));
        else if (t->rank != q->rank || memcmp(t->dim, q->dim, (size_t)q->rank * sizeof *q->dim)) {
            snprintf(detail, sizeof detail, "%s, %s wanted", ivl_shape_text(t->rank, t->dim, a, sizeof a),
                     ivl_shape_text(q->rank, q->dim, b, sizeof b));
            IVL_TRY(ivl_load_note(r, IVL_NOTE_SHAPE, name, detail));
        } else r->loaded++;
    }
    for (int i = 0; i < ivl_weights_count(v->w); i++) {
        char full[200];
        const char *name = ivl_weights_at(v->w, i)->name;
        snprintf(full, sizeof full, "%s%s", v->whole ? "" : "vision_model.", name);
        if (!ivl_params_find(v->p, full) && !strstr(name, ".rotary_emb.inv_freq"))
            IVL_TRY(ivl_load_note(r, IVL_NOTE_EXTRA, name, ""));
    }
    if (ivl_load_count(r, IVL_NOTE_MISSING)) return ivl_load_refuse(v->in, r, IVL_NOTE_MISSING, "");
    if (ivl_load_count(r, IVL_NOTE_SHAPE))
        return ivl_load_refuse(v->in, r, IVL_NOTE_SHAPE, "; is the configuration its own?");
    return IVL_OK;
}

typedef struct piece { const vision *v; const ivl_weights_tensor *t; ivl_dtype dtype; } piece;

static ivl_status fill(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    const piece *p = item->ctx;
    return ivl_convert_read(p->v->w, p->t, first, n, p->dtype, dst);
}

static ivl_status write_weights(const vision *v, const char *out, ivl_convert_report *r)
{
    const ivl_st_pair meta[] = { { "format", "pt" } };
    ivl_st_item *item = calloc((size_t)v->p->n + 1, sizeof *item);
    piece *p = calloc((size_t)v->p->n + 1, sizeof *p);
    ivl_status s = item && p ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < v->p->n && s == IVL_OK; i++) {
        const ivl_param *q = &v->p->param[i];
        const char *name = name_in_file(v, q);
        if (!name) continue;
        ivl_st_item *k = &item[r->tensors];
        p[r->tensors] = (piece){ v, ivl_weights_find(v->w, name), r->dtype };
        *k = (ivl_st_item){ .name = name, .type = ivl_st_type_of(r->dtype), .rank = q->rank, .fill = fill,
                            .ctx = &p[r->tensors] };
        memcpy(k->dim, q->dim, sizeof q->dim);
        r->tensors++, r->elements += q->elements;
    }
    if (s == IVL_OK) s = ivl_st_save_dir(out, item, r->tensors, 5000000000u, meta, 1);
    free(item), free(p);
    return s;
}

/* InternVL's config.json, or its vision_config alone. */
static ivl_status write_config(const vision *v, const char *path, ivl_dtype dtype)
{
    char *text = NULL;
    json_t *root = NULL;
    if (v->whole) return ivl_config_save(&v->c, dtype, path);
    IVL_TRY(ivl_config_text(&v->c, dtype, &text));
    ivl_status s = ivl_json_parse(text, strlen(text), path, &root);
    free(text);
    if (s != IVL_OK) return s;
    json_t *o = json_object_get(root, "vision_config");
    bool whole = !json_object_set(o, "torch_dtype", json_object_get(root, "torch_dtype"));
    s = ivl_json_write(whole ? json_incref(o) : NULL, path);
    json_decref(root);
    return s;
}

static ivl_status write_all(const vision *v, const char *out, ivl_convert_report *r)
{
    IVL_TRY(write_weights(v, out, r));
    char *path = ivl_path_join(out, "config.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = write_config(v, path, r->dtype);
    free(path);
    return s;
}

static ivl_status choose_dtype(const vision *v, const ivl_convert_options *o, ivl_dtype *t_p)
{
    char text[128];
    const ivl_weights_tensor *t = ivl_weights_find(v->w, vit(v, "embeddings.patch_embedding.weight", text));
    ivl_dtype d = o->has_dtype ? o->dtype : t ? t->type : IVL_F32;
    if (!o->has_dtype && d != IVL_F16 && d != IVL_BF16) d = IVL_F32;
    IVL_CHECK(d == IVL_F32 || d == IVL_F16 || d == IVL_BF16, IVL_EINVAL,
              "%s cannot be written to safetensors: use f32, f16 or bf16", ivl_dtype_name(d));
    *t_p = d;
    return IVL_OK;
}

ivl_status ivl_convert_vision(const char *in, const ivl_weights *w, const char *out, const ivl_convert_options *o,
                              ivl_convert_report *r)
{
    vision v = { .in = in, .w = w, .whole = ivl_weights_find(w, "text_projection") != NULL };
    unsigned lm = ivl_weights_find(w, "qllama.lm_head.weight") ? IVL_PART_LM : 0;
    IVL_CHECK(!o->gguf, IVL_EUNSUPPORTED,
              "%s: a model of pictures; only language models go into GGUF files: write a folder", in);
    IVL_TRY(choose_dtype(&v, o, &r->dtype));
    IVL_TRY(find_config(&v, o->config));
    IVL_TRY(ivl_params_create(&v.c, &(ivl_params_options){ .parts = IVL_PART_C | lm }, &v.p));
    ivl_status s = compare(&v, &r->load);
    if (s == IVL_OK) s = write_all(&v, out, r);
    r->tokenizer = "none found: copy tokenizer.model beside it";
    if (!v.whole) r->tokenizer = "not needed";
    ivl_params_destroy(v.p);
    return s;
}
