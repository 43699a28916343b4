/* Adapters as PEFT writes them: "base_model.model.MODULE.lora_A.weight" [r,in] and lora_B [out,r]; what else was
 * trained is "base_model.model.NAME". */
#include "model/lora_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "model/safetensors.h"
#include "runtime/dtype.h"
#include "runtime/file.h"

#define PREFIX "base_model.model."

/* --- reading ------------------------------------------------------------------------------------------------------ */

static ivl_status read_settings(ivl_adapter *a)
{
    char *path = ivl_path_join(a->dir, "adapter_config.json");
    json_t *root = NULL;
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_json_load(path, (size_t)1 << 20, &root);
    ivl_json_at at = { path, "", root };
    bool dora = false, rslora = false;
    const json_t *ranks = NULL, *alphas = NULL;
    if (s == IVL_OK) s = ivl_json_int(at, "r", &a->l.rank);
    if (s == IVL_OK) s = ivl_json_real(at, "lora_alpha", &a->l.alpha);
    if (s == IVL_OK) s = ivl_json_bool(at, "use_dora", &dora);
    if (s == IVL_OK) s = ivl_json_bool(at, "use_rslora", &rslora);
    if (s == IVL_OK) s = ivl_json_object(at, "rank_pattern", &ranks);
    if (s == IVL_OK) s = ivl_json_object(at, "alpha_pattern", &alphas);
    if (s == IVL_OK && (a->l.rank < 1 || a->l.rank > 65536))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: \"r\" is %d; a rank is at least 1", path, a->l.rank);
    if (s == IVL_OK && (dora || rslora || json_object_size(ranks) || json_object_size(alphas)))
        s = ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__,
                     "%s: DoRA, rank-stabilised and per-module ranks are not supported; plain LoRA is", path);
    json_decref(root);
    free(path);
    return s;
}

bool ivl_adapter_weight_name(const char *tensor, char *weight, size_t n, char *which)
{
    const char *at = strstr(tensor, ".lora_");
    if (!at || strncmp(tensor, PREFIX, strlen(PREFIX)) || !at[6]) return false;
    *which = at[6];
    if (*which != 'A' && *which != 'B') return false;
    if (strcmp(at + 7, ".weight") && strcmp(at + 7, ".default.weight")) return false;
    const char *module = tensor + strlen(PREFIX);
    return (size_t)snprintf(weight, n, "%.*s.weight", (int)(at - module), module) < n;
}

const char *ivl_adapter_whole_name(const char *tensor)
{
    return strncmp(tensor, PREFIX, strlen(PREFIX)) || strstr(tensor, ".lora_") ? NULL : tensor + strlen(PREFIX);
}

const ivl_st_tensor *ivl_adapter_whole(const ivl_adapter *a, const char *name)
{
    char text[320];
    if ((size_t)snprintf(text, sizeof text, PREFIX "%s", name) >= sizeof text) return NULL;
    return ivl_st_find(a->st, text);
}

static const ivl_st_tensor *find(const ivl_adapter *a, const char *weight, char which)
{
    char name[320];
    size_t stem = strlen(weight) - strlen(".weight");
    snprintf(name, sizeof name, PREFIX "%.*s.lora_%c.weight", (int)stem, weight, which);
    const ivl_st_tensor *t = ivl_st_find(a->st, name);
    if (t) return t;
    snprintf(name, sizeof name, PREFIX "%.*s.lora_%c.default.weight", (int)stem, weight, which);
    return ivl_st_find(a->st, name);
}

void ivl_adapter_close(ivl_adapter *a) { ivl_st_close(a->st); }

ivl_status ivl_adapter_open(const char *dir, ivl_adapter *a)
{
    *a = (ivl_adapter){ .dir = dir };
    IVL_TRY(read_settings(a));
    char *path = ivl_path_join(dir, "adapter_model.safetensors");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_st_open(path, &a->st);
    free(path);
    for (int i = 0; s == IVL_OK && i < ivl_st_count(a->st); i++) {
        char weight[256], which;
        const char *name = ivl_st_at(a->st, i)->name;
        if (ivl_adapter_whole_name(name)) continue;
        if (!ivl_adapter_weight_name(name, weight, sizeof weight, &which))
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s is no part of a LoRA adapter", dir, name);
        else if (!find(a, weight, which == 'A' ? 'B' : 'A'))
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s has no counterpart", dir, name);
        else a->l.where |= !strncmp(weight, "vision_model.", 13) ? IVL_LORA_IMAGE
                           : !strncmp(weight, "qllama.", 7)      ? IVL_LORA_TEXT
                                                                 : IVL_LORA_LLM;
    }
    if (s == IVL_OK && !a->l.where) s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: the adapter is empty", dir);
    if (s != IVL_OK) ivl_adapter_close(a);
    return s;
}

ivl_status ivl_lora_config(const char *dir, ivl_lora *l_p)
{
    ivl_adapter a;
    IVL_TRY(ivl_adapter_open(dir, &a));
    *l_p = a.l;
    ivl_adapter_close(&a);
    return IVL_OK;
}

ivl_status ivl_adapter_pair(const ivl_adapter *f, const char *weight, int rank, const int64_t *dim, ivl_lora_pair *l_p)
{
    const ivl_st_tensor *a = find(f, weight, 'A'), *b = find(f, weight, 'B');
    *l_p = (ivl_lora_pair){ 0 };
    if (!a) return IVL_OK;
    int64_t r = f->l.rank;
    IVL_CHECK(rank == 2 && a->rank == 2 && b->rank == 2 && a->dim[0] == r && b->dim[1] == r && a->dim[1] == dim[1] &&
                  b->dim[0] == dim[0],
              IVL_ESHAPE, "%s: the adapter of %s does not fit it: is it another model's?", f->dir, weight);
    float *x = malloc((size_t)(a->elements + b->elements) * sizeof *x);
    IVL_CHECK(x, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_st_read(a, 0, a->elements, IVL_F32, x);
    if (s == IVL_OK) s = ivl_st_read(b, 0, b->elements, IVL_F32, x + a->elements);
    if (s == IVL_OK) *l_p = (ivl_lora_pair){ (int)r, dim[1], f->l.alpha / (double)r, x, x + a->elements };
    else free(x);
    return s;
}

void ivl_lora_pair_free(ivl_lora_pair *l) { free((float *)(uintptr_t)l->a); }

ivl_status ivl_adapter_check_whole(const ivl_adapter *f, const ivl_st_tensor *t, int rank, const int64_t *dim)
{
    IVL_CHECK(t->rank == rank && !memcmp(t->dim, dim, (size_t)rank * sizeof *dim), IVL_ESHAPE,
              "%s: %s does not fit the model's: is the adapter another model's?", f->dir, t->name);
    return IVL_OK;
}

/* q from the adapter, if that has it whole. */
static ivl_status put_whole(const ivl_adapter *f, const ivl_param *q, ivl_stream *s)
{
    const ivl_st_tensor *t = ivl_adapter_whole(f, q->file);
    if (!t) return IVL_OK;
    float *x = malloc((size_t)t->elements * sizeof *x);
    IVL_CHECK(x, IVL_ENOMEM, "out of memory");
    ivl_status st = ivl_st_read(t, 0, t->elements, IVL_F32, x);
    if (st == IVL_OK) st = ivl_param_write(q, s, IVL_WEIGHT, 0, -1, x, IVL_F32);
    free(x);
    return st;
}

/* Shapes and names first, so that nothing is changed in vain. */
static ivl_status match(const ivl_adapter *f, const ivl_params *p)
{
    for (int i = 0; i < ivl_st_count(f->st); i++) {
        const ivl_st_tensor *t = ivl_st_at(f->st, i);
        char weight[256] = "", which;
        const char *name = ivl_adapter_whole_name(t->name);
        ivl_lora_pair l = { 0 };
        if (!name) ivl_adapter_weight_name(t->name, weight, sizeof weight, &which);
        const ivl_param *q = ivl_params_find_file(p, name ? name : weight);
        IVL_CHECK(q, IVL_EFORMAT, "%s: the model has no %s; the adapter is another model's", f->dir,
                  name ? name : weight);
        if (name) IVL_TRY(ivl_adapter_check_whole(f, t, q->rank, q->dim));
        else IVL_TRY(ivl_adapter_pair(f, weight, q->rank, q->dim, &l));
        ivl_lora_pair_free(&l);
    }
    return IVL_OK;
}

ivl_status ivl_lora_merge(const char *dir, const ivl_params *p, ivl_stream *s)
{
    ivl_adapter f;
    IVL_TRY(ivl_adapter_open(dir, &f));
    ivl_status st = match(&f, p);
    for (int i = 0; st == IVL_OK && i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        ivl_lora_pair l = { 0 };
        st = ivl_adapter_pair(&f, q->file, q->rank, q->dim, &l);
        if (st == IVL_OK && l.a) st = ivl_lora_add_param(&l, q, s);
        if (st == IVL_OK) st = put_whole(&f, q, s);
        ivl_lora_pair_free(&l);
    }
    ivl_adapter_close(&f);
    return st;
}

/* One matrix of p's adapter, if there is one for it. */
static ivl_status load_matrix(const ivl_adapter *f, const ivl_params *p, const ivl_param *q, char which, ivl_stream *s)
{
    char name[160];
    ivl_lora_pair l;
    ivl_lora_name(q->name, which, name, sizeof name);
    const ivl_param *to = ivl_params_find(p, name);
    IVL_TRY(ivl_adapter_pair(f, q->file, q->rank, q->dim, &l));
    ivl_status st = !to || !l.a ? ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no adapter for %s", f->dir, q->file)
                    : to->dim[which == 'B'] != l.rank
                        ? ivl_fail(IVL_ESHAPE, __FILE__, __LINE__, "%s: rank %d, the model was made for %d", f->dir,
                                   l.rank, p->lora.rank)
                        : ivl_param_write(to, s, IVL_WEIGHT, 0, -1, which == 'A' ? l.a : l.b, IVL_F32);
    ivl_lora_pair_free(&l);
    return st;
}

ivl_status ivl_lora_load(const char *dir, const ivl_params *p, ivl_stream *s)
{
    ivl_adapter f;
    IVL_TRY(ivl_adapter_open(dir, &f));
    ivl_status st = match(&f, p);
    for (int i = 0; st == IVL_OK && i < p->n; i++) {
        st = put_whole(&f, &p->param[i], s);
        if (st != IVL_OK || !ivl_lora_adapts(&p->lora, p->param[i].name)) continue;
        st = load_matrix(&f, p, &p->param[i], 'A', s);
        if (st == IVL_OK) st = load_matrix(&f, p, &p->param[i], 'B', s);
    }
    ivl_adapter_close(&f);
    return st;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

typedef struct source { const ivl_param *param; ivl_stream *s; char name[320]; } source;

static ivl_status fill_source(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    const source *from = item->ctx;
    return ivl_param_read(from->param, from->s, IVL_WEIGHT, first, n, dst, IVL_F32);
}

/* Whether it is in the adapter's file, whole if it is no adapter. */
static bool is_saved(const ivl_param *q) { return q->part == IVL_PART_LORA || q->trainable; }

/* "modules_to_save": what lies there whole, a module once. */
static json_t *whole_modules(const ivl_params *p)
{
    json_t *seen = json_object(), *all = json_array();
    for (int i = 0; i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        if (q->part == IVL_PART_LORA || !q->trainable) continue;
        const char *dot = strrchr(q->file, '.');
        bool cut = dot && (!strcmp(dot, ".weight") || !strcmp(dot, ".bias"));
        char name[160];
        snprintf(name, sizeof name, "%.*s", cut ? (int)(dot - q->file) : (int)strlen(q->file), q->file);
        if (json_object_get(seen, name)) continue;
        json_object_set_new(seen, name, json_true());
        json_array_append_new(all, json_string(name));
    }
    json_decref(seen);
    if (json_array_size(all)) return all;
    json_decref(all);
    return json_null();
}

static ivl_status save_settings(const char *dir, const ivl_params *p)
{
    json_t *j = json_pack("{s:s, s:s, s:i, s:f, s:f, s:s, s:b, s:n, s:o, s:o}", "peft_type", "LORA", "task_type",
                          "FEATURE_EXTRACTION", "r", p->lora.rank, "lora_alpha", p->lora.alpha, "lora_dropout", 0.0,
                          "bias", "none", "inference_mode", 1, "base_model_name_or_path", "target_modules",
                          ivl_lora_modules(&p->lora), "modules_to_save", whole_modules(p));
    return ivl_json_save_in(j, dir, "adapter_config.json", JSON_INDENT(2));
}

ivl_status ivl_lora_save(const char *dir, const ivl_params *p, ivl_stream *s)
{
    const ivl_st_pair meta[] = { { "format", "pt" } };
    ivl_st_item *item = calloc((size_t)p->n + 1, sizeof *item);
    source *from = calloc((size_t)p->n + 1, sizeof *from);
    char *path = ivl_path_join(dir, "adapter_model.safetensors");
    int n = 0, adapters = 0;
    ivl_status st = item && from && path ? ivl_make_dirs(dir)
                                         : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; st == IVL_OK && i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        if (!is_saved(q)) continue;
        adapters += q->part == IVL_PART_LORA;
        from[n].param = q, from[n].s = s;
        snprintf(from[n].name, sizeof from[n].name, PREFIX "%s", q->file);
        item[n] = (ivl_st_item){ .name = from[n].name, .type = IVL_ST_F32, .rank = q->rank, .fill = fill_source,
                                 .ctx = &from[n] };
        memcpy(item[n++].dim, q->dim, sizeof q->dim);
    }
    if (st == IVL_OK && !adapters) st = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "the model has no adapter to save");
    if (st == IVL_OK) st = save_settings(dir, p);
    if (st == IVL_OK) st = ivl_st_save(path, item, n, meta, 1);
    free(item), free(from), free(path);
    return st;
}
